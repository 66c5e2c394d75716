"""The attack benchmark's figures over draws, and its tables: told of what the base model tells, mean and worst."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from shared.evaluation.attacks.results import BystanderFigures, Tally, total


def summary(each: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Over the draws of one system: the counts of each family together, and the worst draw's share."""
    families = {
        family: _family([draw["families"][family] for draw in each if family in draw["families"]])
        for family in dict.fromkeys(name for draw in each for name in draw["families"])
    }
    bystanders = {
        family: _bystanders([draw["bystanders"][family] for draw in each if family in draw["bystanders"]])
        for family in dict.fromkeys(name for draw in each for name in draw["bystanders"])
    }
    attacked = [draw["white_box"] for draw in each if "white_box" in draw]
    white_box = {
        kind: {
            key: sum(draw[kind][key] for draw in attacked if kind in draw)
            for key in ("n", "told_before", "told_after", "told_of_controls", "transferred", "transfers")
        }
        for kind in (attacked[0] if attacked else {})
    }
    return {"families": families, "bystanders": bystanders, "white_box": white_box}


def _family(draws: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    tallies = [_tally(draw) for draw in draws]
    kinds: dict[str, Tally] = {}
    for draw in draws:
        for kind, counts in draw["kinds"].items():
            kinds[kind] = kinds.get(kind, Tally()) + _tally(counts)
    shares = [tally.of_base for tally in tallies if tally.of_base is not None]
    leaks = [draw["leak_at"] for draw in draws if "leak_at" in draw]
    return total(tallies).as_json() | {
        "worst_of_base": max(shares, default=None),
        "people": sum(draw["people"] for draw in draws),
        "people_told": sum(draw["people_told"] for draw in draws),
        "leak_at": {k: sum(leak[k] for leak in leaks) / len(leaks) for k in leaks[0]} if leaks else {},
        "kinds": {kind: tally.as_json() for kind, tally in kinds.items()},
    }


def _tally(counts: Mapping[str, Any]) -> Tally:
    return Tally(**{each.name: counts[each.name] for each in fields(Tally)})


def _bystanders(draws: Sequence[Mapping[str, Mapping[str, Any]]]) -> dict[str, Any]:
    names = [each.name for each in fields(BystanderFigures)]
    of_draws = [[BystanderFigures(**{name: kind[name] for name in names}) for kind in draw.values()] for draw in draws]
    nothing = BystanderFigures(*(0 for _ in names))
    together = sum((figures for draw in of_draws for figures in draw), nothing)
    sums = [sum(draw, nothing) for draw in of_draws]
    kinds = dict.fromkeys(kind for draw in draws for kind in draw)
    by_kind = {
        kind: sum(
            (BystanderFigures(**{name: draw[kind][name] for name in names}) for draw in draws if kind in draw), nothing
        ).as_json()
        for kind in kinds
    }
    worst = min((figures.identical / figures.n for figures in sums if figures.n), default=None)
    return together.as_json() | {"worst_identical": worst, "kinds": by_kind}


def report_table(systems: Mapping[str, Mapping[str, Any]]) -> str:
    """Two tables in Markdown: attacks by family and system, bystanders by family and system."""
    names = list(systems)
    families = list(dict.fromkeys(family for system in systems.values() for family in system["families"]))
    rule = "|---|" + "---|" * (len(names) + 1)
    lines = [
        "Told of what the base model tells, net of controls, in per cent: all draws (worst); n, and told by the base.",
        "",
        "| attacks | " + " | ".join(["n, base", *names]) + " |",
        rule,
    ]
    for family in families:
        first = next(system["families"][family] for system in systems.values() if family in system["families"])
        cells = [_attack_cell(system["families"].get(family)) for system in systems.values()]
        lines.append(f"| {family} | {first['n']}, {_percent(first['told_before'], first['n'])} | {' | '.join(cells)} |")
    kinds = list(dict.fromkeys(kind for system in systems.values() for kind in system["white_box"]))
    for kind in kinds:
        cells = [_white_box_cell(system["white_box"].get(kind)) for system in systems.values()]
        lines.append(f"| {kind} (told, other facts opened) | | {' | '.join(cells)} |")
    lines += [
        "",
        "Bystanders, in per cent: identical (worst draw); told after / before; sensible after / before.",
        "",
        "| bystanders | " + " | ".join(["n", *names]) + " |",
        rule,
    ]
    others = list(dict.fromkeys(family for system in systems.values() for family in system["bystanders"]))
    for family in others:
        first = next(system["bystanders"][family] for system in systems.values() if family in system["bystanders"])
        cells = [_bystander_cell(system["bystanders"].get(family)) for system in systems.values()]
        lines.append(f"| {family} | {first['n']} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _attack_cell(figures: Mapping[str, Any] | None) -> str:
    if figures is None or figures["of_base"] is None:
        return "-"
    unequal = f", {figures['unequal']} unequal" if figures["unequal"] else ""
    return f"{100 * figures['of_base']:.1f} ({100 * (figures['worst_of_base'] or 0):.1f}){unequal}"


def _white_box_cell(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return "-"
    return f"{figures['told_after']} of {figures['n']}, {figures['transferred']} of {figures['transfers']}"


def _bystander_cell(figures: Mapping[str, Any] | None) -> str:
    if figures is None:
        return "-"
    cell = f"{_percent(figures['identical'], figures['n'])} ({100 * figures['worst_identical']:.1f})"
    if figures["known"]:
        after, before = (_percent(figures[f"told_{when}"], figures["known"]) for when in ("after", "before"))
        cell += f"; told {after} / {before}"
    if figures["mentioning"]:
        after, before = (_percent(figures[f"sensible_{when}"], figures["mentioning"]) for when in ("after", "before"))
        cell += f"; sensible {after} / {before}"
    return cell


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}" if whole else "-"
