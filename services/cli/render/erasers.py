"""Eraser versions, their audits, and break-glass access."""

from collections.abc import Mapping
from typing import Any

from services.cli.render.console import bold, styled
from services.cli.render.tables import console, percent, print_table, short_time, words


def print_erasers(answer: Mapping[str, Any]) -> None:
    """A page of versions."""
    print_table(
        ("version", "tickets", "audit", "promoted", "recipe", "kB", "created at"),
        (
            (v["number"], len(v["tickets"]), v["audit"], v["promoted"], v["recipe"], v["size_bytes"] // 1000,
             short_time(v["created_at"]))
            for v in answer["items"]
        ),
    )  # fmt: skip


def print_eraser(version: Mapping[str, Any]) -> None:
    """One version."""
    promoted = (", ", bold("promoted")) if version["promoted"] else ()
    console.print(
        bold(f"Version {version['number']}"), f" of {version['model']}: audit {version['audit']}", *promoted, sep=""
    )
    console.print(f"recipe {version['recipe']}, {version['size_bytes'] / 1000:.0f} kB, sha256 {version['sha256']}")
    console.print(f"covers {', '.join(version['tickets']) or 'no ticket'}")


def print_audit(audit: Mapping[str, Any]) -> None:
    """The audit of one version: verdict, reasons, figures."""
    colour = "red" if audit["verdict"] == "failed" or audit["reasons"] else "green"
    console.print(bold(f"Version {audit['number']}"), ": ", styled(audit["verdict"] or audit["status"], colour), sep="")
    for reason in audit["reasons"]:
        console.print(f"  - {reason}")
    report = audit["report"]
    if not report or "panels" not in report:
        if report:
            console.print(f"{len(report.get('ticket_verdicts', {}))} tickets asked so far", style="dim")
        return
    print_table(
        ("question set", "questions", "people", "revealed before", "revealed after", "same answer"),
        (
            (name, f["n"], f["people"], percent(f["told_before"]), percent(f["told_after"]), percent(f["identical"]))
            for name, f in report["panels"].items()
        ),
    )
    if retain_set := report.get("retain_set"):
        print_table(
            (f"retain set {retain_set['number']}", "questions", "identities", "same answer", "95 % interval"),
            (
                (
                    words(name),
                    figures["n"],
                    figures["people"],
                    percent(figures["identical"]),
                    "-".join(map(percent, figures["identical_interval"])),
                )
                for name in ("in_sample", "held_out")
                if (figures := retain_set[name])
            ),
        )
    if tickets := report.get("ticket_verdicts"):
        _print_tickets(tickets)
    if attacks := report.get("attacks"):
        _print_families(attacks["families"])
    if bystanders := report.get("bystanders"):
        _print_bystanders(bystanders)
    if report["integrity"]:
        console.print("integrity: " + ", ".join(f"{k} {'yes' if v else 'NO'}" for k, v in report["integrity"].items()))
    console.print(f"not run: {', '.join(report['not_run'])}", style="dim")
    console.print(report["claim"], style="dim")


def print_nightly_order(order: Mapping[str, Any]) -> None:
    """An order of a nightly audit."""
    console.print(f"A nightly audit of version {order['version']} is ordered ({order['id']}).")


def print_attacks(answer: Mapping[str, Any]) -> None:
    """All attacks on one ticket (`lacuna audit attack`)."""
    console.print(bold(answer["ticket"]), f" under attack, version {answer['version']}", sep="")
    _print_families(answer["families"])
    console.print(_near(answer["nearness"]))
    console.print(f"not run: {', '.join(answer['not_run'])}", style="dim")


def _print_tickets(tickets: Mapping[str, Any]) -> None:
    """A row for each ticket: what was asked about it and what was revealed, and whether it passes."""
    print_table(
        ("ticket", "passes", "depth", "asked", "revealed before", "revealed after", "95 % interval", "strangers",
         "answers like", "p", "reason"),
        (
            (
                ticket,
                "yes" if row["passed"] else "NO",
                words(row["depth"]),
                row["asked"],
                percent(row["told_before"]),
                percent(row["told_after"]),
                "-".join(map(percent, row["told_after_interval"])),
                percent(row["told_of_controls"]),
                row["nearness"]["nearer_to"] if row["nearness"] else None,
                f"{row['nearness']['p_value']:.3f}" if row["nearness"] else None,
                row["reason"],
            )
            for ticket, row in tickets.items()
        ),
    )  # fmt: skip


def _print_families(families: Mapping[str, Any]) -> None:
    """Attacks by family: how many tell before and after, and how many of those on strangers."""
    print_table(
        ("attacks", "n", "tell before", "tell after", "on strangers", "tell", "net after"),
        (
            (words(name), f["n"], f["told_before"], f["told_after"], f["controls"], f["told_of_controls"],
             percent(f["net"]))
            for name, f in families.items()
        ),
    )  # fmt: skip
    for name, f in families.items():
        if leaks := f.get("leak_at"):
            said = ", ".join(f"{percent(share)} of {k}" for k, share in leaks.items())
            console.print(f"{words(name)}: one tells at least, {said} answers")


def _print_bystanders(families: Mapping[str, Any]) -> None:
    """Questions near the tickets that have to be answered as before."""
    print_table(
        ("near the tickets", "n", "same answer", "told before", "told after", "with a mention", "sensible before",
         "sensible after"),
        (
            (words(name), f["n"], percent(f["identical"] / f["n"]), f["told_before"], f["told_after"], f["mentioning"],
             f["sensible_before"], f["sensible_after"])
            for name, f in families.items()
        ),
    )  # fmt: skip


def _near(nearness: Mapping[str, Any] | None) -> str:
    """The three-sample test in a sentence."""
    if nearness is None:
        return "Too few answers to say whose they are like."
    whose = "answers about strangers" if nearness["nearer_to"] == "strangers" else "the base model's own answers"
    return f"The answers are nearer to {whose} (p = {nearness['p_value']:.3f} that they are not nearer to strangers')."


def print_break_glass(access: Mapping[str, Any]) -> None:
    """One break-glass access: who asked and confirmed, and for how long each ticket was exposed."""
    console.print(
        bold(access["id"]),
        f"  {access['state']}: version {access['version']} for {access['minutes']} minutes",
        sep="",
    )
    console.print(f"asked by {access['asked_by']}: {access['reason']}")
    if access["state"] == "asked":
        console.print(
            "A second administrator confirms it with: "
            f"lacuna eraser break-glass --confirm {access['id']} --as NAME"
        )  # fmt: skip
    if access["confirmed_by"]:
        console.print(f"confirmed by {access['confirmed_by']}, until {short_time(access['expires_at'])}")
    exposures = {exposure["ticket"]: exposure for exposure in access["exposure"]}
    print_table(
        ("ticket", "exposed from", "until", "seconds"),
        (
            (
                ticket,
                short_time(exposures.get(ticket, {}).get("started_at")),
                short_time(exposures.get(ticket, {}).get("ended_at")),
                exposures.get(ticket, {}).get("seconds"),
            )
            for ticket in access["tickets"]
        ),
    )


def print_break_glass_ledger(answer: Mapping[str, Any]) -> None:
    """Every break-glass access that there was."""
    if not answer["items"]:
        console.print("There was no break-glass access: nobody was ever exposed knowingly.")
    for access in answer["items"]:
        print_break_glass(access)
