"""Rendered colors of a page and the contrast between text and background."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Locator

_SCRIPT = """node => {
    if (!node.isConnected) return null;
    const parse = (text) => {
        const canvas = document.createElement("canvas");
        canvas.width = canvas.height = 1;
        const pen = canvas.getContext("2d");
        pen.fillStyle = text;
        pen.fillRect(0, 0, 1, 1);
        return [...pen.getImageData(0, 0, 1, 1).data];
    };
    const luminance = ([r, g, b]) => {
        const linear = (v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        const [x, y, z] = [r, g, b].map((v) => linear(v / 255));
        return 0.2126 * x + 0.7152 * y + 0.0722 * z;
    };
    let ground = [0, 0, 0, 0];
    for (let at = node; at && ground[3] < 255; at = at.parentElement) {
        ground = parse(getComputedStyle(at).backgroundColor);
    }
    const { color, fill } = getComputedStyle(node);
    const text = parse(node instanceof SVGElement ? fill : color);
    const [low, high] = [luminance(text), luminance(ground)].sort((a, b) => a - b);
    return { text, ground, contrast: (high + 0.05) / (low + 0.05) };
}"""


def colors(element: Locator) -> dict[str, Any]:
    """Return text color, opaque background and their contrast (WCAG 2.1) of the first matching element."""
    found: dict[str, Any] | None = None
    while found is None:  # replaced by a newly rendered one
        found = element.first.evaluate(_SCRIPT)
    return found


def unreadable(root: Locator, selectors: Sequence[str]) -> list[str]:
    """Return the selectors without elements, or whose first (visible) one has a contrast below 4.5 to 1."""
    script = f"""(root, selectors) => selectors.map((selector) => {{
        const found = [...root.querySelectorAll(selector)];
        const node = found.find((one) => one.checkVisibility()) ?? found[0];
        return node ? ({_SCRIPT})(node) : {{ contrast: 0 }};
    }})"""
    seen = zip(selectors, root.evaluate(script, list(selectors)), strict=True)
    return [f"{selector}: {colors}" for selector, colors in seen if colors["contrast"] < 4.5]
