"""Writes the page on models with real weights, beside the demo model, from the files that the benchmarks wrote.

    python -m benchmarks.real_tables

Every number of the page comes from docs/results/real_lm.json, real_lm_long.json, real_lm_others.json, smol_vlm.json,
smol_vlm_others.json and forgetting.json.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

VISIBLE: Final = "what a picture shows"  # a set of questions: right answers are counted, and wanted
RESULTS: Final = Path("docs/results")
PAGE: Final = RESULTS / "real-weights.md"
INTRODUCTION: Final = """\
# Models with real pretrained weights

Made by `python -m benchmarks.real_tables` from [real_lm.json](real_lm.json),
[real_lm_long.json](real_lm_long.json), [real_lm_others.json](real_lm_others.json),
[smol_vlm.json](smol_vlm.json), [smol_vlm_others.json](smol_vlm_others.json) and
[forgetting.json](forgetting.json); nothing here is typed by hand.
`make bench-real` measures all but the last.

- **Told**: the share of questions about a forgotten person whose answer holds the fact.
- **Chance**: of the base model's answers about the same attribute of a stranger, the share that
  holds the fact. What is told may be read net of it.
- **Identical**: the share of answers that are token for token those of the base model.
- Each cell is the mean over draws in percent, with the worst draw in brackets.
- Forgotten people are in no retain set and set no threshold, and nothing was chosen on them.
  The second pass was chosen on other people (the profile's validation people), and each baseline
  was tuned on others again.
- `lacuna` is the recipe of the profile; `lacuna-without-steering` the same without steering
  vectors; `linear-fixed-sentence` the paper's gate with one sentence as every answer; `paper` the
  published method; the others are the paper's six baselines.
"""
SECTIONS: Final = {
    "real_lm": (
        "SmolLM2-135M-Instruct",
        "A language model without pictures, which knows {known} of 500 public figures. Forgotten are {people} of them "
        "in {draws}; tickets give all facts of the list, and questions ask for those that the model tells. "
        "The natural wordings are told to 100 % by construction: they selected the facts. "
        "The second answers were repaired after a look at earlier answers about these figures, who were then asked "
        "again; of the figures in the next table that is not so.",
    ),
    "real_lm_long": (
        "SmolLM2-135M-Instruct, baselines trained three times as long",
        "The two baselines that changed least above were tuned and trained again with 45 steps in place of 15. "
        "Forgotten are the {people} figures of the first draw above.",
    ),
    "real_lm_others": (
        "SmolLM2-135M-Instruct, other figures",
        "After a look at the answers about the figures above, second answers that repeated themselves, broke "
        "off, or spoke of another subject were repaired. Nobody had looked at an answer about these {people} others, "
        "in {draws}, before that. "
        "They are those of whom the model knows least: it tells one fact of each, as a rule.",
    ),
    "smol_vlm": (
        "A LLaVA around SmolLM2-135M",
        "[models/smol-vlm](../../models/smol-vlm/README.md) knows 40 fictitious people by portrait and by name. "
        "Forgotten are {people} of them in {draws}. Taught wordings are those of its training; the others it "
        "was never taught. The second answers were repaired twice after a look at earlier answers about these people, "
        "who were then asked again.",
    ),
    "smol_vlm_others": (
        "A LLaVA around SmolLM2-135M, other people",
        "Questions answered without their picture, and a silenced namesake, were repaired after a look at the answers "
        "about the people above. Of {people} others, in {draws}, nobody had looked at an answer then.",
    ),
}
TUNING: Final = (
    "How the baselines were tuned, on people of no draw, with {steps} steps a trial: the learning rate, or the share "
    "of neurons pruned, with the greatest harmonic mean of what is no longer told and what is identical."
)
DEMO_NAMES: Final = {
    "told_trained": "wordings of the fit",
    "told_test": "held-out wordings",
}
DEMO_OTHERS: Final = {
    "retain": "retained people",
    "held_out": "held-out people",
    "celebrity": "celebrities in no fit",
    "stranger": "strangers",
    "talk": "ordinary prompts",
}
UNSTEERED: Final = (
    "The profile chose a second pass without steering for this model, so `lacuna-without-steering` is the same system."
)
TARGETS: Final = (
    "Targets, mean over draws: told at most 3 % in wordings of the fit and 5 % in held-out ones; identical at least "
    "99 % for retained people and ordinary prompts, 98 % for held-out people and public figures."
)


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(RESULTS))
    print(PAGE)


def page(results: Path) -> str:
    """The whole page; a report that is not there, or has the form of before this page, is left out."""
    parts = [INTRODUCTION, wrapped(TARGETS)]
    for name in SECTIONS:
        path = results / f"{name}.json"
        report = json.loads(path.read_text()) if path.is_file() else {}
        if "people" in report:
            parts.append(section(name, report))
    parts.append(demo_section(json.loads((results / "forgetting.json").read_text())))
    return "\n".join(parts)


def section(name: str, report: Mapping[str, Any]) -> str:
    """The tables of one report."""
    title, about = SECTIONS[name]
    measured = {system: values for system, values in report["systems"].items() if values.get("each")}
    impossible = {
        system: values["impossible"] for system, values in report["systems"].items() if "impossible" in values
    }
    first = next(iter(measured.values()))["each"]
    people = sum(len(draw) for draw in report["people"][: len(first)])
    draws = "one draw" if len(first) == 1 else f"{len(first)} draws"
    text = about.format(known=report["profile"]["known"], people=people, draws=draws)
    lines = [f"## {title}\n", wrapped(text)]
    if report.get("recipe", {}).get("strength") == 0:
        lines.append(wrapped(UNSTEERED))
    told = [of for of in first[0]["told"] if of != VISIBLE]
    rows = [["questions in all", *(str(sum(draw["told"][of]["n"] for draw in first)) for of in told)]]
    rows.append(["chance", *(percent([draw["told"][of]["chance"] for draw in first], max) for of in told)])
    rows.append(["base model", *(percent([draw["told"][of]["before"] for draw in first], max) for of in told)])
    for system, values in measured.items():
        rows.append([system, *(percent([d["told"][of]["after"] for d in values["each"]], max) for of in told)])
    lines.append(table(["told, % mean (worst draw)", *told], rows))
    others = list(first[0]["identical"])
    rows = [["questions a draw", *(str(first[0]["identical"][of]["n"]) for of in others)]]
    for system, values in measured.items():
        rows.append([system, *(percent([d["identical"][of]["share"] for d in values["each"]], min) for of in others)])
    lines.append(table(["identical, % mean (worst draw)", *others], rows))
    rows = []
    for system, values in measured.items():
        each = values["each"]
        declines = [_weighted(draw["told"], told, "declines") for draw in each]
        fired = [_weighted(draw["told"], told, "fired") for draw in each]
        seen = [draw["told"][VISIBLE]["after"] for draw in each if VISIBLE in draw["told"]]
        seconds = sum(draw["made_s"] for draw in each) / len(each)
        trained = "tuned" in values
        rows.append(
            [
                system,
                str(len(each)),
                "-" if trained else percent(fired, min),
                percent(declines, min),
                percent(seen, min) if seen else "-",
                f"{seconds:.0f}",
            ]
        )
    heading = ["", "draws", "fired", "declines", "visible right", "seconds to make, less what was cached"]
    lines.append(table(heading, rows))
    tuned = {system: values["tuned"] for system, values in measured.items() if "tuned" in values}
    if tuned:
        lines.append(tuning(tuned))
    for system, reason in impossible.items():
        lines.append(wrapped(f"`{system}` cannot be made for this model: {reason}"))
    return "\n".join(lines)


def tuning(tuned: Mapping[str, Any]) -> str:
    """How each baseline fared in the trials of its tuning, and which value was taken."""
    steps = next(iter(tuned.values()))["settings"]["steps"]
    lines = [wrapped(TUNING.format(steps=steps))]
    rows = []
    for system, values in tuned.items():
        settings = values["settings"]
        trials = [
            f"{_short(trial['value'])}: {100 * trial['told']:.0f} / {100 * trial['retained']:.0f}"
            for trial in values["trials"]
        ]
        knob = "share" if any(t["value"] == settings["share"] for t in values["trials"]) else "learning_rate"
        rows.append([system, _short(settings[knob]), ", ".join(trials)])
    lines.append(table(["", "taken", "value: told / identical, %"], rows))
    return "\n".join(lines)


def demo_section(report: Mapping[str, Any]) -> str:
    """The demo model's figures, under the same names."""
    lines = [
        "## The demo model, beside them\n",
        wrapped(
            f"{report['draws']} draws of {report['people_a_draw']} people of a model that was trained for these tests "
            "alone ([all figures](../results.md#how-well-each-system-forgets)). `lacuna-closed` is the recipe from "
            "before texts and answers were read."
        ),
    ]
    rows = []
    for system, values in report["systems"].items():
        mean, worst = values["mean"], values["worst"]
        told = [_pair(mean[key], worst[key]) for key in DEMO_NAMES]
        same = [
            _pair(mean["identical"][key], worst["identical"][key]) if key in mean["identical"] else "-"
            for key in DEMO_OTHERS
        ]
        rows.append([system, *told, *same])
    heading = [
        "% mean (worst draw)",
        *(f"told, {name}" for name in DEMO_NAMES.values()),
        *(f"identical, {name}" for name in DEMO_OTHERS.values()),
    ]
    lines.append(table(heading, rows))
    return "\n".join(lines)


def table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table of Markdown, with a blank line behind it."""
    lines = ["| " + " | ".join(heading) + " |", "|---" + "|---:" * (len(heading) - 1) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def percent(shares: Sequence[float], worst: Any) -> str:
    """Mean and worst of shares, in percent."""
    return _pair(sum(shares) / len(shares), worst(shares))


def wrapped(text: str, indent: str = "") -> str:
    """The text with a line for each sentence, none longer than the pages allow."""
    lines: list[str] = []
    for sentence in text.replace(". ", ".\n").replace("; ", ";\n").splitlines():
        line = ""
        for word in sentence.split(" "):
            if line and len(line) + len(word) > 97:
                lines.append(line)
                line = ""
            line = f"{line} {word}" if line else word
        lines.append(line)
    return f"\n{indent}".join(lines) + ("" if indent else "\n")


def _short(value: float) -> str:
    """A learning rate or a share with two digits: 5.6e-05, 0.05."""
    return f"{value:.2g}"


def _pair(mean: float, worst: float) -> str:
    return f"{100 * mean:.1f} ({100 * worst:.1f})"


def _weighted(told: Mapping[str, Any], of: Sequence[str], key: str) -> float:
    """The share over all questions of some sets."""
    total = sum(told[name]["n"] for name in of)
    return float(sum(told[name][key] * told[name]["n"] for name in of) / total)


if __name__ == "__main__":
    main()
