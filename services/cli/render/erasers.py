"""Versions, audits, break glass."""

from collections.abc import Mapping
from typing import Any

from services.cli.render.tables import _moment, _share, console, rows


def glass(one: Mapping[str, Any]) -> None:
    """One broken glass with its ledger."""
    console.print(f"[bold]{one['id']}[/]  {one['state']}: version {one['version']} for {one['minutes']} minutes")
    console.print(f"asked by {one['asked_by']}: {one['reason']}", markup=False)
    if one["state"] == "asked":
        console.print(f"another admin confirms with: lacuna eraser break-glass --confirm {one['id']} --as NAME")
    if one["confirmed_by"]:
        console.print(f"confirmed by {one['confirmed_by']}, until {one['expires_at'][:19]}")
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
        console.print("Nobody was ever exposed knowingly.")
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
    console.print(f"[bold]Version {one['number']}[/] of {one['model']}: audit {one['audit']}{promoted}")
    console.print(f"recipe {one['recipe']}, {one['size_bytes'] / 1000:.0f} kB, sha256 {one['sha256']}")
    console.print(f"covers {', '.join(one['tickets']) or 'nobody'}")


def audit(one: Mapping[str, Any]) -> None:
    """One audit report: verdict, reasons, panels."""
    colour = "green" if one["verdict"] == "passed" else "red"
    console.print(f"[bold]Version {one['number']}[/]: [{colour}]{one['verdict'] or one['status']}[/]")
    for reason in one["reasons"]:
        console.print(f"  - {reason}")
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
    console.print("integrity: " + ", ".join(f"{k} {'yes' if v else 'NO'}" for k, v in report["integrity"].items()))
    console.print(f"not run: {', '.join(report['not_run'])}", style="dim")
    console.print(report["claim"], style="dim")
