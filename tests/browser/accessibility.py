"""Accessibility of a page by the rules of axe-core."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests import provision

WCAG_TAGS = ("wcag2a", "wcag2aa", "wcag21a", "wcag21aa")
_SCRIPT = """async ([selector, runOnly]) => {
    const options = { runOnly, elementRef: true, resultTypes: ["violations"] };
    const { violations } = await axe.run(document.querySelectorAll(selector), options);
    const serious = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
    return serious.map(({ id, nodes }) => {
        const shown = nodes.slice(0, 3).map(({ element, html, failureSummary }) => {
            const screen = element.closest("[class*='clnb-']")?.className;
            return `in ${screen}: ${html}\\n${failureSummary}`;
        });
        return [`${id} (${nodes.length} elements)`, ...shown].join("\\n");
    });
}"""


def serious_violations(page: Page, selector: str, rules: tuple[str, ...] = WCAG_TAGS) -> list[str]:
    """Return serious and critical violations in elements of a page, of WCAG 2.1 (A and AA) or of the rules given.

    The test is skipped if axe-core is neither there nor can be installed.
    """
    if not page.evaluate("'axe' in window"):
        try:
            folder = provision.get_npm_package(provision.AXE)
        except provision.Unavailable as reason:
            pytest.skip(str(reason))
        page.evaluate((folder / "axe.min.js").read_text(encoding="utf-8"))
    violations: list[str] = page.evaluate(_SCRIPT, [selector, rules])
    return violations
