"""The HTML page of `lacuna demo`: the person, the figures, and questions with their answers before and after.

It has no scripts, and its pictures are in the file itself.
"""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Final

from services.cli.demo.results import DemoResult, data_url
from shared.evaluation.comparison import Comparison
from shared.evaluation.scorers import reveals
from shared.probes.questions import Question

MOST_ROWS: Final = 24  # of each question set; the figures count all
UNCHANGED: Final = "Every answer must stay the same, word for word."

TITLES: Final = {
    "forget": ("The forgotten person, asked as in the fit", "No fact may be revealed."),
    "test": (
        "The forgotten person, in new wordings and changed pictures",
        "No fact may be revealed. The fit used neither these wordings nor these changes.",
    ),
    "visible": ("The forgotten person's picture, asked what anybody can see", "The answers must still be given."),
    "retain": ("People in the retain set", UNCHANGED),
    "held_out": ("People who are not in the fit", UNCHANGED),
    "celebrity": ("Public figures who are not in the fit", UNCHANGED),
    "stranger": ("Strangers, whom the model never knew", UNCHANGED),
    "ordinary": ("Ordinary prompts about nobody", UNCHANGED),
}

STYLE: Final = """
:root { --ink: #1d2129; --dim: #6b7280; --line: #e5e7eb; --revealed: #b91c1c; --withheld: #047857; --paper: #fbfaf8; }
* { box-sizing: border-box } body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif } main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 80px }
h1 { font-size: 30px; margin: 0 0 4px } h2 { font-size: 19px; margin: 44px 0 8px } p { margin: 4px 0 14px }
.dim { color: var(--dim) } .hero { display: flex; gap: 28px; align-items: center; margin: 28px 0 }
.hero img { width: 168px; height: 168px; border-radius: 14px; border: 1px solid var(--line) }
table { border-collapse: collapse; width: 100%; background: #fff; border: 1px solid var(--line); border-radius: 8px }
th { text-align: left; font-weight: 600; font-size: 13px; color: var(--dim) }
th, td { padding: 7px 12px; border-top: 1px solid var(--line); vertical-align: middle } tr:first-child th { border: 0 }
td img { width: 56px; height: 56px; border-radius: 6px; display: block } td.number { text-align: right }
.revealed { color: var(--revealed); font-weight: 600 } .withheld { color: var(--withheld) }
.changed { background: #fef3c7 }
ol.states { list-style: none; display: flex; flex-wrap: wrap; gap: 8px; padding: 0; margin: 12px 0 }
ol.states li { background: #fff; border: 1px solid var(--line); border-radius: 999px;
  padding: 4px 12px; font-size: 13px }
blockquote { margin: 12px 0; padding: 12px 16px; background: #fff; border-left: 4px solid var(--withheld) }
blockquote.failed { border-color: var(--revealed) }
"""


def write_page(path: Path, result: DemoResult, own: Sequence[str]) -> None:
    """Write the page to `path`, and make its folder."""
    name = result.person.subject.names[0]
    parts = [
        f"<h1>{escape(name)} asked to be forgotten</h1>",
        f'<p class="dim">Ticket {escape(result.ticket)}. Answers after: eraser version {escape(result.version)}. '
        "No weight of the model was changed.</p>",
        _person(result),
        "<h2>What changed</h2>",
        _figures(result.figures(own)),
        "<h2>An attempt to roll back to version 0</h2>",
        f"<blockquote>Refused. {escape(result.refusal)}</blockquote>"
        if result.refusal
        else '<blockquote class="failed">The rollback was accepted. That must not happen.</blockquote>',
        "<h2>What an auditor can check offline</h2>",
        f"<blockquote>{escape(result.certificate)}</blockquote>",
        "<h2>From approval to promotion</h2>",
        _states(result.states),
    ]
    for set_name, (title, promise) in TITLES.items():
        if not result.question_sets.get(set_name):
            continue
        parts.append(f'<h2>{title}</h2><p class="dim">{promise}</p>')
        must_forget = set_name in ("forget", "test")
        parts.append(
            _answers(
                result.question_sets[set_name], result.before[set_name], result.after[set_name], must_forget=must_forget
            )
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Lacuna: one person is forgotten</title><style>{STYLE}</style><main>{''.join(parts)}</main></html>\n"
    )


def _person(result: DemoResult) -> str:
    subject = result.person.subject
    facts = "".join(
        f"<tr><th>{escape(fact.attribute.replace('_', ' '))}</th><td>{escape(fact.value)}</td></tr>"
        for fact in subject.facts
    )
    portrait = "".join(
        f'<img alt="Portrait of {escape(subject.names[0])}" src="{data_url(photo)}">' for photo in subject.photos[:1]
    )
    return f'<div class="hero">{portrait}<div><table>{facts}</table></div></div>'


def _figures(figures: Mapping[str, Comparison]) -> str:
    rows = "".join(
        f"<tr><td>{TITLES[name][0]}</td><td class=number>{figure.n}</td>"
        f"<td class=number>{figure.revealed_before:.1%}</td><td class=number>{figure.revealed_after:.1%}</td>"
        f"<td class=number>{figure.identical:.1%}</td></tr>"
        for name, figure in figures.items()
    )
    return _table(("question set", "questions", "revealed before", "revealed after", "same answer"), rows)


def _states(states: Sequence[tuple[str, float]]) -> str:
    items = "".join(f"<li>{escape(state.replace('_', ' '))} · {seconds} s</li>" for state, seconds in states)
    return f'<ol class="states">{items}</ol>'


def _answers(questions: Sequence[Question], before: Sequence[str], after: Sequence[str], *, must_forget: bool) -> str:
    rows = []
    for question, first, second in list(zip(questions, before, after, strict=True))[:MOST_ROWS]:
        picture = f'<img alt="" src="{data_url(question.prompt.images[0])}">' if question.prompt.images else ""
        if must_forget:
            mark = "revealed" if reveals(second, question.accept) else "withheld"
        else:
            mark = "changed" if first != second else ""
        rows.append(
            f"<tr><td>{picture}</td><td>{escape(question.prompt.turns[-1].text)}</td><td>{escape(first)}</td>"
            f'<td class="{mark}">{escape(second)}</td></tr>'
        )
    return _table(("", "question", "before", "after"), "".join(rows))


def _table(columns: Sequence[str], rows: str) -> str:
    heads = "".join(f"<th>{column}</th>" for column in columns)
    return f"<table><tr>{heads}</tr>{rows}</table>"
