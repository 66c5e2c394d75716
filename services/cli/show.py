"""Answers as tables and sentences, or as JSON. Knows the shape of the answers and nothing else."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

out = Console(highlight=False)
if not out.is_terminal:
    out.width = 200  # what is piped on is not for a screen: ids stay whole
SPLITS = ("fit", "calibration", "held_out")  # of a retain set, as they are shown


def as_json(value: Any) -> None:
    """JSON on standard output."""
    print(json.dumps(value, indent=2, ensure_ascii=False))


def rows(columns: Iterable[str], lines: Iterable[Iterable[Any]]) -> None:
    """A table."""
    table = Table(box=None, header_style="dim", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for line in lines:
        table.add_row(*(_cell(value) for value in line))
    out.print(table)


def tickets(answer: Mapping[str, Any]) -> None:
    """A list of tickets."""
    if not answer["items"]:
        out.print("There is no ticket.")
        return
    rows(
        ("ticket", "state", "due", "time used", "urgent", "facts", "photos", "filed by", "filed at", "decided by"),
        (
            (t["id"], t["state"], _due(t), _used(t), t["urgent"], t["facts"], t["photos"], t["submitted_by"],
             t["submitted_at"][:19], t["decided_by"])
            for t in answer["items"]
        ),
    )  # fmt: skip


def ticket(one: Mapping[str, Any]) -> None:
    """One ticket with its history."""
    why = f" ({one['review_reason'].replace('_', ' ')})" if one["review_reason"] else ""
    out.print(f"[bold]{one['id']}[/]  {one['state'].replace('_', ' ')}{why}")
    out.print(f"{one['facts']} facts, {one['photos']} photos, filed by {one['submitted_by']} from {one['source']}")
    due = one["due"]
    out.print(
        f"clock {due['state']}, due {due['due']} ({due['law']}; {due['calendar']}), target {due['target']}, "
        f"latest possible {due['latest']}, {due['used_percent']:.0f} % used; identity {one['identity']}"
    )
    if one["duplicate_of"]:
        out.print(f"the same as {one['duplicate_of']}")
    if one["hold"]:
        asked = one["hold"]["release_asked_by"]
        more = f"; {asked} asked for its release, somebody else has to confirm" if asked else ""
        out.print(f"[yellow]legal hold[/] by {one['hold']['set_by']}: {one['hold']['reason']}{more}")
    if one["ground"]:
        out.print(f"approved by {one['decided_by']}: {one['ground'].replace('_', ' ')}")
    if one["decision_code"]:
        out.print(f"rejected by {one['decided_by']}: {one['decision_code'].replace('_', ' ')}: {one['decision_note']}")
    rows(
        ("at", "state", "what", "by", "note"),
        ((e["at"][:19], e["state"], "" if e["kind"] == "state" else e["kind"], e["actor"], e["note"])
         for e in one["events"]),
    )  # fmt: skip


def clock(one: Mapping[str, Any]) -> None:
    """A ticket's clock."""
    out.print(f"[bold]{one['state']}[/], {one['used_percent']} % used: {one['law']}, {one['calendar']}, {one['zone']}")
    rows(
        ("due", "target", "latest possible", "acknowledge by", "extended", "can be extended", "days paused"),
        [(one["due"], one["target"], one["latest"], one["acknowledge_by"], one["extended"], one["extendable"],
          one["paused_days"])],
    )  # fmt: skip
    rows(("at", "what", "by", "reason"), ((e["at"][:19], e["kind"], e["actor"], e["reason"]) for e in one["events"]))


def glass(one: Mapping[str, Any]) -> None:
    """One broken glass with its ledger."""
    out.print(f"[bold]{one['id']}[/]  {one['state']}: version {one['version']} for {one['minutes']} minutes")
    out.print(f"asked by {one['asked_by']}: {one['reason']}", markup=False)
    if one["state"] == "asked":
        out.print(f"another admin confirms with: lacuna eraser break-glass --confirm {one['id']} --as NAME")
    if one["confirmed_by"]:
        out.print(f"confirmed by {one['confirmed_by']}, until {one['expires_at'][:19]}")
    seconds = {e["ticket"]: e for e in one["exposure"]}
    rows(
        ("ticket", "exposed since", "until", "seconds"),
        (
            (
                t,
                *(_moment(seconds.get(t, {}).get(k)) for k in ("started_at", "ended_at")),
                seconds.get(t, {}).get("seconds"),
            )
            for t in one["tickets"]
        ),
    )


def glasses(answer: Mapping[str, Any]) -> None:
    """All broken glasses."""
    if not answer["items"]:
        out.print("Nobody was ever exposed knowingly.")
    for one in answer["items"]:
        glass(one)


def erasers(answer: Mapping[str, Any]) -> None:
    """A list of versions."""
    rows(
        ("version", "tickets", "audit", "promoted", "recipe", "kB", "made at"),
        (
            (v["number"], len(v["tickets"]), v["audit"], v["promoted"], v["recipe"], v["size_bytes"] // 1000,
             v["created_at"][:19])
            for v in answer["items"]
        ),
    )  # fmt: skip


def eraser(one: Mapping[str, Any]) -> None:
    """One version."""
    promoted = ", [bold]promoted[/]" if one["promoted"] else ""
    out.print(f"[bold]Version {one['number']}[/] of {one['model']}: audit {one['audit']}{promoted}")
    out.print(f"recipe {one['recipe']}, {one['size_bytes'] / 1000:.0f} kB, sha256 {one['sha256']}")
    out.print(f"covers {', '.join(one['tickets']) or 'nobody'}")


def audit(one: Mapping[str, Any]) -> None:
    """One audit report: verdict, reasons, panels."""
    colour = "green" if one["verdict"] == "passed" else "red"
    out.print(f"[bold]Version {one['number']}[/]: [{colour}]{one['verdict'] or one['status']}[/]")
    for reason in one["reasons"]:
        out.print(f"  - {reason}")
    report = one["report"]
    if not report:
        return
    rows(
        ("set", "questions", "people", "told before", "told after", "identical"),
        (
            (name, p["n"], p["people"], _share(p["told_before"]), _share(p["told_after"]), _share(p["identical"]))
            for name, p in report["panels"].items()
        ),
    )
    if own := report.get("retain_set"):
        shown = [
            (
                name.replace("_", " "),
                p["n"],
                p["people"],
                _share(p["identical"]),
                "-".join(map(_share, p["identical_interval"])),
            )
            for name in ("in_sample", "held_out")
            if (p := own[name])
        ]
        rows((f"retain set {own['number']}", "questions", "identities", "identical", "95 %"), shown)
    out.print("integrity: " + ", ".join(f"{k} {'yes' if v else 'NO'}" for k, v in report["integrity"].items()))
    out.print(f"not run: {', '.join(report['not_run'])}", style="dim")
    out.print(report["claim"], style="dim")


def status(one: Mapping[str, Any]) -> None:
    """The installation at a glance."""
    promoted = "nothing" if one["promoted"] is None else f"version {one['promoted']}"
    out.print(f"[bold]{one['model']}[/] serves {promoted} (generation {one['generation']})")
    if one.get("stale"):
        out.print(f"[red]{one['stale']}[/]")
    for alarm in one.get("alarms", ()):
        out.print(f"[red]alarm: {alarm['name']}[/] ", end="")
        out.print(alarm["sentence"], markup=False)
    if one["uncovered"]:
        out.print(f"[red]not covered: {', '.join(one['uncovered'])}[/]")
    out.print("tickets: " + (", ".join(f"{n} {s.replace('_', ' ')}" for s, n in one["tickets"].items()) or "none"))
    rows(
        ("replica", "version", "state", "error"),
        ((r["id"], r["version"], r["state"], r["error"]) for r in one["replicas"]),
    )
    rows(
        ("refit", "status", "stage", "started at", "error"),
        ((r["kind"], r["status"], _stage(r), r["started_at"][:19], r["error"]) for r in one["refits"]),
    )


def refits(answer: Mapping[str, Any]) -> None:
    """A list of refits."""
    rows(
        ("refit", "kind", "status", "stage", "started at", "notes", "error"),
        (
            (r["id"][:8], r["kind"], r["status"], _stage(r), r["started_at"][:19], len(r["notes"]) or None, r["error"])
            for r in answer["items"]
        ),
    )


def refit(one: Mapping[str, Any]) -> None:
    """One refit."""
    out.print(f"[bold]Refit {one['id']}[/] ({one['kind']}): {one['status'].replace('_', ' ')}, {_stage(one)}")
    if one["error"]:
        out.print(one["error"], style="red", markup=False)
    for note in one["notes"]:
        out.print(f"  - {note}", markup=False)
    if one["seconds"]:
        rows(("stage", "seconds"), one["seconds"].items())


def retain_sets(answer: Mapping[str, Any]) -> None:
    """A list of retain sets."""
    if not answer["items"]:
        out.print("There is no retain set of your own: the reference people beside the model are used alone.")
        return
    rows(
        ("set", "in use", "fit", "calibration", "held out", "added by", "added at"),
        (
            (s["number"], s["in_use"], *(_identities(s["counts"][split]) for split in SPLITS), s["added_by"],
             s["added_at"][:19])
            for s in answer["items"]
        ),
    )  # fmt: skip
    if answer["waits_for_refit"]:
        out.print("The newest version was made with another set: `lacuna refit` makes one with this.", style="dim")


def retain_set(one: Mapping[str, Any]) -> None:
    """One retain set; who is in it is never shown."""
    out.print(f"[bold]Retain set {one['number']}[/]{', in use' if one.get('in_use') else ''}")
    _split_table(one["counts"])
    out.print(f"added by {one['added_by']}, split by seed {one['seed']}, digest {one['digest'][:16]}")
    if one.get("waits_for_refit"):
        out.print("The next refit uses it; `lacuna refit` orders one now.", style="dim")


def retain_report(report: Mapping[str, Any], *, usable: bool) -> None:
    """What was seen in a file, row by row where something is wrong."""
    _split_table(report["counts"])
    bad = [row for row in report["rows"] if row["problems"] or row["forgotten"]]
    said = [
        (row["row"], "; ".join([*row["problems"], *(f"is the person of {f['ticket']} by {f['by']}" for f in
         row["forgotten"])]))
        for row in bad
    ]  # fmt: skip
    if said:
        rows(("row", "what is wrong"), said)
    for problem in report["problems"]:
        out.print(problem, style="red")
    if report["tickets_without_pictures_to_compare"]:
        out.print(f"{report['tickets_without_pictures_to_compare']} tickets have no pictures left to compare with.")
    out.print("It can be added." if usable else "It cannot be added as it is.")


def _split_table(counts: Mapping[str, Any]) -> None:
    rows(
        ("split", "identities", "people", "prompts"),
        (
            (split.replace("_", " "), c["identities"], c["people"], c["prompts"])
            for split in SPLITS
            for c in [counts[split]]
        ),
    )


def _identities(counts: Mapping[str, int]) -> str:
    return f"{counts['identities']} ({counts['people']} people, {counts['prompts']} prompts)"


def _stage(run: Mapping[str, Any]) -> str:
    progress = run.get("progress")
    if run["status"] != "running" or not progress:
        return run["stage"] or ""
    share = 100 * progress["done"] / max(progress["total"], 1)
    return f"{run['stage']}: {progress['done']} of {progress['total']} {progress['what']} ({share:.0f} %)"


def _due(ticket: Mapping[str, Any]) -> str:
    return "" if ticket["clock"] == "stopped" else f"{(ticket['due_at'] or '')[:10]}"


def _used(ticket: Mapping[str, Any]) -> str:
    if ticket["clock"] != "running":
        return str(ticket["clock"])
    return f"{ticket['escalation']} %" if ticket["escalation"] else ""


def _moment(text: str | None) -> str:
    return (text or "")[:19]


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    return str(value)


def _share(value: float) -> str:
    return f"{100 * value:.1f} %"
