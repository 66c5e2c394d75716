"""The case study (the paper's figures 10 and 11) as one page: a picture, a question, the reply of every system.

The paper shows one question of the forget set and one of the retain set; this page shows two of each of five sets.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from PIL.Image import Image, Resampling

from benchmarks.paper.question_sets import examples
from benchmarks.paper.summary import Cell
from benchmarks.paper.tables import Cells
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference
from shared.evaluation.scorers import reveals
from shared.probes.questions import Question

TITLES = {
    "forget": ("Forget set", "Asked as in the fit. The fact must be gone."),
    "test": ("Test set", "The same person in a new wording, with a strongly changed picture. The fact must be gone."),
    "retain": ("Retain set", "Somebody in the fit's retain set. The answer must stay as it was."),
    "held_out": ("Held-out people", "Somebody no fit has ever seen. The answer must stay as it was."),
    "stranger": ("Strangers", "Somebody the model never knew. It must go on saying so."),
}
STYLE = """
:root { --ink: #1d2129; --dim: #667085; --line: #e4e7ec; --paper: #fbfaf8; --bad: #b54708; --good: #027a48 }
* { box-sizing: border-box } body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif } main { max-width: 1100px; margin: 0 auto; padding: 40px 24px 80px }
h1 { font-size: 28px; margin: 0 0 4px } h2 { font-size: 19px; margin: 44px 0 0 } p { margin: 4px 0 14px }
.dim { color: var(--dim) }
.pair { display: grid; grid-template-columns: repeat(auto-fit, minmax(430px, 1fr)); gap: 20px }
article { background: #fff; border: 1px solid var(--line); border-radius: 14px; padding: 18px 20px }
header { display: flex; gap: 16px; align-items: center; min-height: 104px }
header img, .none { width: 104px; height: 104px; border-radius: 12px; border: 1px solid var(--line); flex: none }
.none { display: grid; place-items: center; color: var(--dim); font-size: 12px; background: var(--paper) }
.asked { font-weight: 600 } table { border-collapse: collapse; width: 100%; margin-top: 12px; font-size: 14px }
td { padding: 6px 4px; border-top: 1px solid var(--line); vertical-align: top }
td:first-child { color: var(--dim); width: 44% }
tr.base td { font-weight: 600; border-top: 0; color: var(--ink) }
.mark { padding: 1px 7px; border-radius: 999px; font-size: 12px; margin-left: 8px; white-space: nowrap }
.good { color: var(--good); background: #ecfdf3 } .bad { color: var(--bad); background: #fff6ed }
"""


def write_case_study(
    path: Path, reference: Reference, people: Sequence[Person], cells: Cells, ratio: int, systems: Sequence[str]
) -> None:
    """Write the page from the cells of one ratio; `systems` in the order of the tables."""
    chosen = {name: cells[name, ratio] for name in systems if (name, ratio) in cells}
    parts = [
        "<h1>Case study: what each system replies</h1>",
        f'<p class="dim">{ratio} % of the fictitious people are forgotten ({len(people)}). Nobody here is real. '
        "After figures 10 and 11 of the paper.</p>",
    ]
    asked = examples(reference, people)
    for name, (title, promise) in TITLES.items():
        cards = [_card(name, question, chosen, place) for place, (group, question) in enumerate(asked) if group == name]
        parts.append(f'<h2>{title}</h2><p class="dim">{promise}</p><div class="pair">{"".join(cards)}</div>')
    path.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Lacuna: case study</title><style>{STYLE}</style><main>{''.join(parts)}</main></html>\n"
    )


def _card(group: str, question: Question, cells: Mapping[str, Cell], place: int) -> str:
    images = question.prompt.images
    picture = (
        f'<img alt="the picture shown" src="{_url(images[0])}">' if images else '<div class="none">no picture</div>'
    )
    first = str(cells["base"]["examples"][place]["reply"])
    rows = []
    for name, cell in cells.items():
        reply = str(cell["examples"][place]["reply"])
        mark = "" if name == "base" else _mark(group, reply, first, question)
        label = "Before: vanilla" if name == "base" else str(cell["label"]).replace("`", "")
        rows.append(
            f'<tr class="{name if name == "base" else ""}"><td>{escape(label)}</td>'
            f"<td>{escape(reply) or '<span class=dim>(nothing)</span>'}{mark}</td></tr>"
        )
    return (
        f'<article><header>{picture}<div><div class="asked">{escape(question.prompt.turns[-1].text)}</div>'
        f'<div class="dim">{_truth(group, question)}</div></div></header><table>{"".join(rows)}</table></article>'
    )


def _truth(group: str, question: Question) -> str:
    return "there is no true answer" if group == "stranger" else f"true answer: {escape(question.accept[0])}"


def _mark(group: str, reply: str, first: str, question: Question) -> str:
    if group in ("forget", "test"):
        revealed = reveals(reply, question.accept)
        return _pill("still told" if revealed else "not told", good=not revealed)
    if reply == first:
        return _pill("as before", good=True)
    revealed = group != "stranger" and reveals(reply, question.accept)
    return _pill("changed, still right" if revealed else "changed", good=False)


def _pill(words: str, *, good: bool) -> str:
    return f'<span class="mark {"good" if good else "bad"}">{words}</span>'


def _url(image: Image) -> str:
    buffer = io.BytesIO()
    image.resize((208, 208), Resampling.LANCZOS).save(buffer, "PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"
