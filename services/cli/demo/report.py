"""The page of `lacuna demo`: portraits, questions, the answers before and after, the figures. No scripts.

Knows the story's data and nothing of how it came about.
"""

from html import escape
from pathlib import Path

from services.cli.demo.results import DemoResult, data_url
from shared.evaluation.comparison import Comparison
from shared.evaluation.scorers import reveals
from shared.probes.questions import Question

MOST_ROWS = 24  # of each set on the page; the JSON holds the figures over all

TITLES = {
    "forget": ("The forgotten person, asked as in the fit", "Every fact must be gone."),
    "test": ("The forgotten person, in new wordings and changed pictures", "Wordings and changes the fit never saw."),
    "visible": ("The forgotten person's picture, asked what anybody can see", "Must still be answered."),
    "retain": ("People in the retain set", "Must be the same to the letter."),
    "held_out": ("People the fit never saw", "Must be the same to the letter."),
    "celebrity": ("Public figures the fit never saw", "Must be the same to the letter."),
    "stranger": ("Strangers, whom the model never knew", "Must be the same to the letter."),
}

STYLE = """
:root { --ink: #1d2129; --dim: #6b7280; --line: #e5e7eb; --told: #b91c1c; --silent: #047857; --paper: #fbfaf8; }
* { box-sizing: border-box } body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif } main { max-width: 1080px; margin: 0 auto; padding: 40px 24px 80px }
h1 { font-size: 30px; margin: 0 0 4px } h2 { font-size: 19px; margin: 44px 0 0 } p { margin: 4px 0 14px }
.dim { color: var(--dim) } .hero { display: flex; gap: 28px; align-items: center; margin: 28px 0 }
.hero img { width: 168px; height: 168px; border-radius: 14px; border: 1px solid var(--line) }
table { border-collapse: collapse; width: 100%; background: #fff; border: 1px solid var(--line); border-radius: 8px }
th { text-align: left; font-weight: 600; font-size: 13px; color: var(--dim) }
th, td { padding: 7px 12px; border-top: 1px solid var(--line); vertical-align: middle } tr:first-child th { border: 0 }
td img { width: 56px; height: 56px; border-radius: 6px; display: block } td.number { text-align: right }
.told { color: var(--told); font-weight: 600 } .silent { color: var(--silent) } .changed { background: #fef3c7 }
ol.line { list-style: none; display: flex; flex-wrap: wrap; gap: 8px; padding: 0; margin: 12px 0 }
ol.line li { background: #fff; border: 1px solid var(--line); border-radius: 999px; padding: 4px 12px; font-size: 13px }
blockquote { margin: 12px 0; padding: 12px 16px; background: #fff; border-left: 4px solid var(--told) }
"""


def write_page(path: Path, story: DemoResult, unknown_answer: str) -> None:
    """Write the page to `path`, making its folder."""
    subject = story.person.subject
    figures = story.figures(unknown_answer)
    parts = [
        f"<h1>{escape(subject.names[0])} asked to be forgotten</h1>",
        f'<p class="dim">Ticket {escape(story.ticket)}. Answered by eraser version {escape(story.version)}; '
        "no weight of the model was changed.</p>",
        f'<div class="hero"><img alt="portrait" src="{data_url(subject.photos[0])}"><div>{_facts(story)}</div></div>',
        "<h2>From approval to silence</h2>",
        '<ol class="line">' + "".join(f"<li>{escape(s)} · {t} s</li>" for s, t in story.states) + "</ol>",
        "<h2>The figures</h2>",
        _figures(figures),
        "<h2>A rollback would bring her back</h2>",
        f"<blockquote>{escape(story.refusal) or 'It was accepted. That must not happen.'}</blockquote>",
    ]
    for name, (title, promise) in TITLES.items():
        parts.append(f'<h2>{title}</h2><p class="dim">{promise}</p>')
        parts.append(
            _answers(story.panels[name], story.before[name], story.after[name], leak=name in ("forget", "test"))
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Lacuna: one person is forgotten</title><style>{STYLE}</style><main>{''.join(parts)}</main></html>\n"
    )


def _facts(story: DemoResult) -> str:
    facts = "".join(
        f"<tr><th>{escape(fact.attribute.replace('_', ' '))}</th><td>{escape(fact.value)}</td></tr>"
        for fact in story.person.subject.facts
    )
    return f"<table>{facts}</table>"


def _figures(figures: dict[str, Comparison]) -> str:
    rows = "".join(
        f"<tr><td>{TITLES[name][0]}</td><td class=number>{one.n}</td><td class=number>{one.revealed_before:.1%}</td>"
        f"<td class=number>{one.revealed_after:.1%}</td><td class=number>{one.identical:.1%}</td></tr>"
        for name, one in figures.items()
    )
    heads = "".join(f"<th>{head}</th>" for head in ("set", "questions", "told before", "told after", "identical"))
    return f"<table><tr>{heads}</tr>{rows}</table>"


def _answers(questions: list[Question], before: list[str], after: list[str], *, leak: bool) -> str:
    rows = []
    for question, first, second in list(zip(questions, before, after, strict=True))[:MOST_ROWS]:
        picture = f'<img alt="" src="{data_url(question.prompt.images[0])}">' if question.prompt.images else ""
        word = ("told" if reveals(second, question.accept) else "silent") if leak else ""
        changed = "changed" if first != second and not leak else ""
        rows.append(
            f"<tr><td>{picture}</td><td>{escape(question.prompt.turns[-1].text)}</td><td>{escape(first)}</td>"
            f'<td class="{word} {changed}">{escape(second)}</td></tr>'
        )
    heads = "".join(f"<th>{head}</th>" for head in ("", "question", "before", "after"))
    return f"<table><tr>{heads}</tr>{''.join(rows)}</table>"
