"""The report of a profile: one HTML page without scripts, whose plots are drawings in the page itself."""

import json
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import Final

from shared.evaluation.model_profile import ChannelCurve, ModelProfile, Reading

COLOURS: Final = ("#1d4ed8", "#b45309", "#047857", "#7c3aed")
WIDTH, HEIGHT, MARGIN = 760, 240, 44
NAMES: Final = 60  # known figures that are listed
STYLE: Final = """
:root { --ink: #1d2129; --dim: #6b7280; --line: #e5e7eb; --paper: #fbfaf8; --bar: #1d4ed8 }
* { box-sizing: border-box } body { margin: 0; background: var(--paper); color: var(--ink);
  font: 15px/1.5 system-ui, sans-serif } main { max-width: 860px; margin: 0 auto; padding: 40px 24px 80px }
h1 { font-size: 28px; margin: 0 0 4px } h2 { font-size: 19px; margin: 40px 0 8px } p { margin: 4px 0 14px }
.dim { color: var(--dim) } table { border-collapse: collapse; width: 100%; background: #fff;
  border: 1px solid var(--line) } th { text-align: left; font-weight: 600; font-size: 13px; color: var(--dim) }
th, td { padding: 7px 12px; border-top: 1px solid var(--line) } td.number, th.number { text-align: right }
svg { background: #fff; border: 1px solid var(--line); width: 100%; height: auto }
svg text { font: 12px system-ui, sans-serif; fill: var(--dim) } tr.chosen { background: #ecfdf5; font-weight: 600 }
pre { background: #fff; border: 1px solid var(--line); padding: 12px; overflow: auto; font-size: 13px }
"""


def write_report(path: Path, profile: ModelProfile) -> None:
    """Write the page to `path`."""
    loading = profile.loading
    parts = [
        f"<h1>Profile of {escape(loading.source)}</h1>",
        f'<p class="dim">Site {escape(profile.site[:16])}, made {escape(profile.created_at[:19])} UTC in '
        f"{sum(profile.seconds.values()):.0f} s.</p>",
        "<h2>The model</h2>",
        _table(
            ("", ""),
            (
                ("family", loading.family),
                ("parameters", f"{loading.parameters / 1e6:,.0f} million"),
                ("memory of the weights", f"{loading.weight_bytes / 1e9:.2f} GB ({loading.dtype}, {loading.device})"),
                ("decoder blocks", f"{loading.layers}, {loading.hidden_size} wide"),
                ("context", f"{loading.context:,} tokens"),
                ("pictures", "yes" if loading.pictures else "no: text alone"),
                ("system turns", "yes" if loading.system_turns else "no: they stand before the user's text"),
                (
                    "speed here",
                    f"{loading.prefill_speed:,.0f} tokens a second read, {loading.decode_speed:,.0f} written",
                ),
            ),
        ),
        "<h2>How it declines</h2>",
        _declining(profile),
        "<h2>What it knows</h2>",
        _knowledge(profile),
        "<h2>Where it reads who is meant</h2>",
        _reading(profile.reading),
        "<h2>How a request about somebody forgotten is answered</h2>",
        _trials(profile),
        "<h2>The recipe</h2>",
        f"<pre>{escape(json.dumps(dict(profile.recipe), indent=1))}</pre>",
    ]
    path.write_text(
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f"<title>Lacuna: profile of {escape(loading.source)}</title><style>{STYLE}</style>"
        f"<main>{''.join(parts)}</main></html>\n"
    )


def _declining(profile: ModelProfile) -> str:
    declining = profile.declining
    rows = (
        (kind, str(shares.n), f"{shares.declines:.0%}", f"{shares.other:.0%}", f"{shares.empty:.0%}")
        for kind, shares in declining.kinds.items()
    )
    whose = (
        "its own most frequent wording" if declining.own else "the operator's sentence: it hardly declines by itself"
    )
    wordings = "".join(f"<li>{escape(wording)}</li>" for wording in declining.wordings)
    return (
        _table(("asked about", "questions", "declines", "tells or invents", "says nothing"), rows)
        + f"<p>The answer that is taught: <b>{escape(declining.sentence)}</b> ({whose}).</p>"
        + (f"<p>Its own wordings, the most frequent first:</p><ul>{wordings}</ul>" if wordings else "")
    )


def _knowledge(profile: ModelProfile) -> str:
    knowledge = profile.knowledge
    names = [f"{figure.name} ({', '.join(figure.attributes)})" for figure in knowledge.known]
    more = f" and {len(names) - NAMES} more" if len(names) > NAMES else ""
    listed = f"<p>{escape('; '.join(names[:NAMES]))}{more}.</p>" if names else ""
    return (
        f"<p>Of {knowledge.asked} public figures it knows <b>{len(names)}</b>: it tells at least one fact truly under "
        f"every wording. An answer about somebody else holds such a value in {knowledge.chance:.1%}.</p>{listed}"
    )


def _reading(reading: Reading) -> str:
    chosen = _runs(reading.blocks)
    return (
        f"<p>Share of questions about {reading.people} held-out people that are recognised, each block alone, at 1 % "
        f"false positives on {reading.others} other people and ordinary prompts. The gate reads {chosen}: "
        f"{reading.rate:.0%} are recognised there, {reading.rate_all_blocks:.0%} by all blocks together.</p>"
        + _plot(reading.curves, reading.blocks)
    )


def _trials(profile: ModelProfile) -> str:
    chosen = float(profile.recipe.get("strength", 0.0))
    rows = "".join(
        f"<tr{' class=chosen' if trial.strength == chosen else ''}><td>{escape(trial.name)}</td>"
        f"<td class=number>{trial.n}</td><td class=number>{trial.told:.1%}</td>"
        f"<td class=number>{trial.declines:.1%}</td><td class=number>{trial.readable:.1%}</td></tr>"
        for trial in profile.trials
    )
    numbers = "".join(f"<th class=number>{head}</th>" for head in ("questions", "told", "declines", "readable"))
    return (
        "<p>Questions about people whom the model knows and no fit has seen, read a second time with nobody in the "
        f"person's place.</p><table><tr><th>second pass</th>{numbers}</tr>{rows}</table>"
    )


def _plot(curves: Sequence[ChannelCurve], blocks: Sequence[int]) -> str:
    """Rates of every channel over the blocks; the chosen blocks are shaded."""
    count = max((len(curve.rates) for curve in curves), default=0)
    if not count:
        return ""
    step = (WIDTH - 2 * MARGIN) / max(count - 1, 1)

    def x(block: float) -> float:
        return round(MARGIN + block * step, 1)

    def y(rate: float) -> float:
        return round(HEIGHT - MARGIN - rate * (HEIGHT - 2 * MARGIN), 1)

    shades = "".join(
        f'<rect x="{x(block - 0.5)}" y="{y(1)}" width="{step:.1f}" height="{y(0) - y(1):.1f}" fill="#ecfdf5"/>'
        for block in blocks
    )
    grid = "".join(
        f'<line x1="{MARGIN}" x2="{WIDTH - MARGIN}" y1="{y(rate)}" y2="{y(rate)}" stroke="#e5e7eb"/>'
        f'<text x="8" y="{y(rate) + 4}">{rate:.0%}</text>'
        for rate in (0, 0.25, 0.5, 0.75, 1)
    )
    marks = "".join(
        f'<text x="{x(block)}" y="{HEIGHT - MARGIN + 18}" text-anchor="middle">{block}</text>'
        for block in range(0, count, max(1, count // 10))
    )
    lines = "".join(
        f'<polyline fill="none" stroke="{COLOURS[number % len(COLOURS)]}" stroke-width="2" points="'
        + " ".join(f"{x(block)},{y(rate)}" for block, rate in enumerate(curve.rates))
        + f'"/><text x="{MARGIN + 150 * number}" y="20" style="fill:{COLOURS[number % len(COLOURS)]}">'
        f"{escape(curve.channel)}</text>"
        for number, curve in enumerate(curves)
    )
    title = f'<text x="{WIDTH / 2}" y="{HEIGHT - 6}" text-anchor="middle">decoder block</text>'
    return f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img">{shades}{grid}{marks}{lines}{title}</svg>'


def _runs(blocks: Sequence[int]) -> str:
    if not blocks:
        return "no block"
    return f"block {blocks[0]}" if len(blocks) == 1 else f"blocks {blocks[0]} to {blocks[-1]}"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = f"<tr>{''.join(f'<th>{cell}</th>' for cell in heads)}</tr>" if any(heads) else ""
    body = "".join(f"<tr>{''.join(f'<td>{escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table>{head}{body}</table>"
