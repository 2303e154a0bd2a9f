"""Frame the HTML of an evaluation and of its matrix: the style, and what both are made of."""

from __future__ import annotations

from customlabels_nb._utils.text import escaped

# The doubled class outranks the notebook's own rules for tables; where its variables aren't known, text and
# ground are inherited and lines are a translucent grey.
_STYLE = """
.clnb-report.clnb-report { font: var(--jp-ui-font-size1, 13px)/1.4 var(--jp-ui-font-family, system-ui, sans-serif);
  color: var(--jp-ui-font-color1, inherit); border: 1px solid var(--jp-border-color2, #8884); border-radius: 6px;
  max-width: 1120px; overflow: hidden; font-variant-numeric: tabular-nums; }
.clnb-report.clnb-report .clnb-head { display: flex; flex-wrap: wrap; gap: 0 10px; padding: 8px 12px;
  border-bottom: 1px solid var(--jp-border-color2, #8884); }
.clnb-report.clnb-report .clnb-dim { color: var(--jp-ui-font-color2, inherit); }
.clnb-report.clnb-report .clnb-head .clnb-dim b { color: var(--jp-ui-font-color1, inherit); }
.clnb-report.clnb-report .clnb-body { display: flex; flex-wrap: wrap; gap: 16px 24px; padding: 12px;
  align-items: flex-start; }
.clnb-report.clnb-report .clnb-scroll { overflow: auto; max-height: 480px; max-width: 100%; }
.clnb-report.clnb-report .clnb-whole { max-height: none; }
.clnb-report.clnb-report table { border-collapse: separate; border-spacing: 0; margin: 0; table-layout: auto;
  font-size: inherit; color: inherit; border: 0; }
.clnb-report.clnb-report tbody tr:nth-child(n) { background: none; }
.clnb-report.clnb-report th, .clnb-report.clnb-report td { border: 0; padding: 5px 7px; text-align: right;
  background: none; white-space: nowrap; font-weight: normal; vertical-align: middle; line-height: 1.3; }
.clnb-report.clnb-report thead th { color: var(--jp-ui-font-color2, inherit); font-weight: 600; }
.clnb-report.clnb-report .clnb-labels td, .clnb-report.clnb-report .clnb-labels th {
  border-bottom: 1px solid var(--jp-border-color2, #8884); }
.clnb-report.clnb-report .clnb-labels tr > :first-child,
.clnb-report.clnb-report .clnb-text { text-align: left; }
.clnb-report.clnb-report .clnb-name { display: inline-block; max-width: 200px; overflow: hidden;
  text-overflow: ellipsis; vertical-align: bottom; }
.clnb-report.clnb-report .clnb-swatch { display: inline-block; width: 9px; height: 9px; border-radius: 2px;
  margin-right: 7px; }
.clnb-report.clnb-report .clnb-bar { display: block; width: 60px; height: 6px; border-radius: 3px;
  background: #8883; overflow: hidden; }
.clnb-report.clnb-report .clnb-bar i { display: block; height: 100%; border-radius: 3px; }
.clnb-report.clnb-report .clnb-matrix { border-spacing: 2px; }
.clnb-report.clnb-report .clnb-matrix td { min-width: 32px; height: 34px; padding: 0 4px; text-align: center;
  border-radius: 3px; background-color: #8881; }
.clnb-report.clnb-report .clnb-matrix thead th { text-align: center; font-weight: normal; }
.clnb-report.clnb-report .clnb-matrix .clnb-name { max-width: 96px; }
.clnb-report.clnb-report .clnb-steep thead th { vertical-align: bottom; padding: 4px 0; }
.clnb-report.clnb-report .clnb-steep thead .clnb-name { writing-mode: vertical-rl; transform: rotate(180deg);
  max-width: none; max-height: 96px; vertical-align: bottom; }
.clnb-report.clnb-report caption { caption-side: bottom; text-align: left; white-space: nowrap; padding: 4px 0 0;
  font-size: 12px; color: var(--jp-ui-font-color2, inherit); }
.clnb-report.clnb-report ul { margin: 0; padding: 8px 12px 8px 28px; font-size: 12px;
  color: var(--jp-ui-font-color2, inherit); border-top: 1px solid var(--jp-border-color2, #8884); }
.clnb-report.clnb-report li { overflow-wrap: anywhere; }
"""


def page(*parts: str) -> str:
    """Put the parts together, with their style."""
    # Jupyter's MathJax 3 and others' MathJax 2 would typeset what stands between dollars
    return f'<div class="clnb-report mathjax_ignore tex2jax_ignore"><style>{_STYLE}</style>{"".join(parts)}</div>'


def body(content: str) -> str:
    """Put tables beside each other."""
    return f'<div class="clnb-body">{content}</div>'


def name_html(label: object) -> str:
    """Write a label's name, cut off where it is long."""
    text = escaped(str(label))
    return f'<bdi class="clnb-name" title="{text}">{text}</bdi>'
