"""Advice as text for terminals and as cards for notebooks: static, right on light and dark ground.

Names of labels and images are anybody's text: all of it is escaped, and isolated so that a name written from right to
left doesn't turn its neighbours around.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import pandas as pd

from customlabels_nb._utils.text import escaped, one_line, printable
from customlabels_nb.evaluation.advice.advice_images import AdviceImage, Pictures
from customlabels_nb.evaluation.advice.items import SHOWN_IMAGES, AdviceItem, item_lines, short_name

#: Pictures in all: a notebook keeps them.
SHOWN_PICTURES = 32
SHOWN_LABELS = 6
SHOWN_BOXES = 12
_WIDTH, _HEIGHT = 96, 72

_NOTHING = "nothing was found that would clearly improve it."

# The doubled class outranks the notebook's own rules; where its variables aren't known, text and ground are inherited
# and lines are a translucent grey.
_STYLE = """
.clnb-advice.clnb-advice { font: var(--jp-ui-font-size1, 13px)/1.45 var(--jp-ui-font-family, system-ui, sans-serif);
  color: var(--jp-ui-font-color1, inherit); max-width: 1120px; }
.clnb-advice.clnb-advice .clnb-dim { color: var(--jp-ui-font-color2, inherit); }
.clnb-advice.clnb-advice ol { list-style: none; margin: 8px 0; padding: 0; display: grid; gap: 10px;
  grid-template-columns: repeat(auto-fill, minmax(min(100%, 440px), 1fr)); }
.clnb-advice.clnb-advice li { display: flex; flex-direction: column; gap: 7px; margin: 0; padding: 10px 12px;
  min-width: 0; border: 1px solid var(--jp-border-color2, #8884); border-radius: 6px; }
.clnb-advice.clnb-advice .clnb-head { display: flex; flex-wrap: wrap; gap: 2px 10px; align-items: baseline; }
.clnb-advice.clnb-advice .clnb-chip { display: inline-block; max-width: 180px; overflow: hidden;
  text-overflow: ellipsis; white-space: nowrap; vertical-align: bottom; }
.clnb-advice.clnb-advice .clnb-swatch { display: inline-block; width: 9px; height: 9px; border-radius: 2px;
  margin-right: 5px; }
.clnb-advice.clnb-advice .clnb-said { overflow-wrap: anywhere; }
.clnb-advice.clnb-advice .clnb-images { display: flex; flex-wrap: wrap; gap: 6px 8px; font-size: 12px; }
.clnb-advice.clnb-advice figure { margin: 0; width: 96px; }
.clnb-advice.clnb-advice .clnb-photo { height: 72px; display: flex; align-items: center; justify-content: center;
  border-radius: 4px; overflow: hidden; background: var(--jp-layout-color2, #8882); }
.clnb-advice.clnb-advice .clnb-photo span { position: relative; display: block; overflow: hidden; }
.clnb-advice.clnb-advice .clnb-photo img { display: block; width: 100%; height: 100%; margin: 0; max-width: none; }
.clnb-advice.clnb-advice .clnb-photo i { position: absolute; box-sizing: border-box; border: 2px solid; min-width: 5px;
  min-height: 5px; outline: 1px solid #fffa; }
.clnb-advice.clnb-advice .clnb-photo i.clnb-predicted { border-style: dashed; }
.clnb-advice.clnb-advice figcaption { overflow: hidden; overflow-wrap: anywhere; max-height: 4.1em;
  line-height: 1.35; }
.clnb-advice.clnb-advice pre { margin: auto 0 0; padding: 6px 8px; overflow-x: auto; border: 0; border-radius: 4px;
  font: var(--jp-code-font-size, 12px)/1.4 var(--jp-code-font-family, monospace); color: inherit;
  background: var(--jp-layout-color2, #8882); white-space: pre; }
"""


def advice_text(items: Sequence[AdviceItem], name: str, notes: Sequence[str]) -> str:
    """A numbered list: what was seen, its images, the code."""
    lines = [_head(items, name)]
    for number, item in enumerate(items):
        lines += ["", *item_lines(item, f"[{number}] ")]
    lines += [f"\n{note}" for note in notes]
    return printable("\n".join(lines))


def advice_html(
    items: Sequence[AdviceItem],
    name: str,
    notes: Sequence[str],
    colours: Mapping[str, str],
    pictures: Pictures | None,
) -> str:
    """A card for each item."""
    left = SHOWN_PICTURES
    cards = []
    for number, item in enumerate(items):
        card, used = _card(item, number, colours, pictures, left)
        cards.append(card)
        left -= used
    said = "".join(f'<div class="clnb-dim">{escaped(note)}</div>' for note in notes)
    listed = f"<ol>{''.join(cards)}</ol>" if cards else ""
    return (
        f'<div class="clnb-advice"><style>{_STYLE}</style><div><bdi>{escaped(_head(items, name))}</bdi></div>'
        f"{listed}{said}</div>"
    )


def _head(items: Sequence[AdviceItem], name: str) -> str:
    start = f"Advice on {one_line(name)}: " if name else "Advice: "
    if not items:
        return start + _NOTHING
    return start + f"{len(items)} {'thing' if len(items) == 1 else 'things, the strongest first'}."


def _card(
    item: AdviceItem, number: int, colours: Mapping[str, str], pictures: Pictures | None, pictures_left: int
) -> tuple[str, int]:
    chips = "".join(_chip(label, colours.get(label, "#888888")) for label in item.labels[:SHOWN_LABELS])
    if len(item.labels) > SHOWN_LABELS:
        chips += f'<span class="clnb-dim">and {len(item.labels) - SHOWN_LABELS:,} more</span>'
    images, used = _images(item, colours, pictures, pictures_left)
    return (
        f'<li><div class="clnb-head"><span class="clnb-dim">{number}</span><b>{item.heading}</b>{chips}</div>'
        f'<div class="clnb-said"><bdi>{escaped(item.text)}</bdi></div>{images}'
        f"<pre>{_code(item.call)}</pre></li>",
        used,
    )


def _images(
    item: AdviceItem, colours: Mapping[str, str], pictures: Pictures | None, pictures_left: int
) -> tuple[str, int]:
    """The first images, as pictures where they are to be had, and how many of them."""
    first = item.images.drop_duplicates("image").head(SHOWN_IMAGES)
    if first.empty:
        return "", 0
    shown, used = [], 0
    for _, row in first.iterrows():
        name, caption = str(row["image"]), _caption(row)
        picture = pictures(name) if pictures is not None and used < pictures_left else None
        said = f'<bdi class="clnb-dim">{escaped(caption)}</bdi>' if caption else ""
        if picture is None:
            shown.append(f"<span><bdi>{escaped(short_name(name))}</bdi>{': ' + said if said else ''}</span>")
        else:
            used += 1
            photo = _photo(picture, name, item.images[item.images["image"] == name], colours)
            title = escaped(f"{name}: {caption}" if caption else name)
            shown.append(f'<figure title="{title}">{photo}<figcaption>{said}</figcaption></figure>')
    more = item.images["image"].nunique() - len(first)
    if more:
        shown.append(f'<span class="clnb-dim">and {more:,} more</span>')
    return f'<div class="clnb-images">{"".join(shown)}</div>', used


def _photo(picture: AdviceImage, name: str, rows: pd.DataFrame, colours: Mapping[str, str]) -> str:
    """The picture, whole, with the boxes that the item speaks of: what is missed solid, what is predicted dashed."""
    scale = min(_WIDTH / picture.width, _HEIGHT / picture.height)
    source = base64.b64encode(picture.data).decode("ascii")
    boxes = ""
    if "left" in rows.columns:
        for _, row in rows.dropna(subset="left").head(SHOWN_BOXES).iterrows():
            predicted = "predicted" in row.index and pd.notna(row["predicted"])
            label = row["predicted"] if predicted else row.get("truth", row.get("label"))
            sides = (row["left"], row["width"], row["top"], row["height"])
            lengths = (picture.width, picture.width, picture.height, picture.height)
            left, width, top, height = (100 * side / length for side, length in zip(sides, lengths, strict=True))
            boxes += (
                f'<i{" class=clnb-predicted" if predicted else ""} style="left:{left:.1f}%;top:{top:.1f}%;'
                f'width:{width:.1f}%;height:{height:.1f}%;border-color:{escaped(colours.get(label, "#888888"))}"></i>'
            )
    return (
        f'<div class="clnb-photo"><span style="width:{scale * picture.width:.0f}px;'
        f'height:{scale * picture.height:.0f}px"><img alt="{escaped(short_name(name))}" '
        f'src="data:image/jpeg;base64,{source}">{boxes}</span></div>'
    )


def _caption(row: pd.Series) -> str:
    """What is to be known of an image, in a few words."""

    def has(name: str) -> bool:
        return name in row.index and pd.notna(row[name])

    confidence = f" {row['confidence']:.2f}" if has("confidence") else ""
    if has("becomes"):
        return f"{row['becomes']}{confidence}"
    if has("predicted"):
        return f"{row['truth']} → {row['predicted']}{confidence}" if has("truth") else f"{row['predicted']}{confidence}"
    name = row["truth"] if has("truth") else row["label"] if has("label") else ""
    return f"{name}{confidence}"


def _chip(label: str, colour: str) -> str:
    text = escaped(label)
    return (
        f'<span class="clnb-chip" title="{text}"><span class="clnb-swatch" style="background:{escaped(colour)}"></span>'
        f"<bdi>{text}</bdi></span>"
    )


def _code(call: str) -> str:
    return "\n".join(escaped(line) for line in call.split("\n"))
