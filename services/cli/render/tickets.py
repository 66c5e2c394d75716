"""Tickets and their clocks."""

from collections.abc import Mapping
from typing import Any

from services.cli.render.console import bold, styled
from services.cli.render.tables import console, counted, print_table, short_time, words


def print_tickets(answer: Mapping[str, Any]) -> None:
    """A page of tickets."""
    if not answer["items"]:
        console.print("There are no tickets.")
        return
    print_table(
        ("ticket", "case", "state", "due", "time used", "urgent", "names", "facts", "photos", "filed by", "filed at",
         "assigned to", "decided by"),
        (
            (t["id"], t["external_ref"], t["state"], _due(t), _time_used(t), t["urgent"], t["names"], t["facts"],
             t["photos"], t["submitted_by"], short_time(t["submitted_at"]), t["assigned_to"], t["decided_by"])
            for t in answer["items"]
        ),
    )  # fmt: skip


def print_ticket(ticket: Mapping[str, Any]) -> None:
    """One ticket with its history."""
    why = f" ({words(ticket['review_reason'])})" if ticket["review_reason"] else ""
    console.print(bold(ticket["id"]), f"  {words(ticket['state'])}{why}", sep="")
    console.print(
        f"{counted(ticket['names'], 'name')}, {counted(ticket['facts'], 'fact')}, "
        f"{counted(ticket['photos'], 'photo')}, "
        f"filed by {ticket['submitted_by']} from {ticket['source']}{_case(ticket)}, "
        f"asked about in {', '.join(ticket['languages'])}",
    )
    console.print(" ".join(ticket["scope"]))
    if ticket["assigned_to"]:
        console.print(f"assigned to {ticket['assigned_to']}")
    due = ticket["due"]
    console.print(
        f"clock {due['state']}, due {due['due']} ({due['law']}; {due['calendar']}), target {due['target']}, "
        f"latest possible {due['latest']}, {due['used_percent']:.0f} % used; identity {ticket['identity']}"
    )
    for other in ticket["related"]:
        name = {"same": "the same name", "another": "a name in another spelling"}.get(other["name"], "no name")
        common = f"{name}, {counted(other['facts'], 'fact')} and {counted(other['photos'], 'photo')}"
        console.print(f"{other['ticket']} has {common} in common with it")
    if ticket["duplicate_of"]:
        console.print(f"duplicate of {ticket['duplicate_of']}")
    if hold := ticket["hold"]:
        requested = (
            f"; {hold['release_asked_by']} asked for its release, and a second person must confirm"
            if hold["release_asked_by"]
            else ""
        )
        console.print(styled("legal hold", "yellow"), f" by {hold['set_by']}: {hold['reason']}{requested}", sep="")
    if ticket["ground"]:
        console.print(f"approved by {ticket['decided_by']}: {words(ticket['ground'])}")
    if ticket["decision_code"]:
        console.print(
            f"rejected by {ticket['decided_by']}: {words(ticket['decision_code'])}: {ticket['decision_note']}",
        )
    for leak in ticket["leaks"]:
        console.print(styled("told", "red"), f" {_leak(leak)}", sep="")
    print_table(
        ("at", "state", "event", "by", "note"),
        ((short_time(e["at"]), e["state"], "" if e["kind"] == "state" else e["kind"], e["actor"], e["note"])
         for e in ticket["events"]),
    )  # fmt: skip


def print_clock(clock: Mapping[str, Any]) -> None:
    """The statutory clock of a ticket."""
    console.print(
        bold(clock["state"]),
        f", {clock['used_percent']} % used: {clock['law']}, {clock['calendar']}, {clock['zone']}",
        sep="",
    )
    print_table(
        ("due", "target", "latest possible", "acknowledge by", "extended", "can be extended", "days paused"),
        [(clock["due"], clock["target"], clock["latest"], clock["acknowledge_by"], clock["extended"],
          clock["extendable"], clock["paused_days"])],
    )  # fmt: skip
    print_table(
        ("at", "event", "by", "reason"),
        ((short_time(e["at"]), e["kind"], e["actor"], e["reason"]) for e in clock["events"]),
    )


def _case(ticket: Mapping[str, Any]) -> str:
    return f" as {ticket['external_ref']}" if ticket["external_ref"] else ""


def _leak(leak: Mapping[str, Any]) -> str:
    """Which kind of question told something, such as "3 of 12 questions: fact no. 2, by name, in other wordings"."""
    share = f"{leak['told']} of {leak['asked']}"
    if leak["questions"] == "attacks":
        return f"{share} attacks of the kind {words(leak['by'])}"
    fact = f"fact no. {leak['fact']}" if leak["fact"] else "what only the model knows"
    way = "by name" if leak["by"] == "name" else "by picture"
    wordings = "in wordings of the fit" if leak["questions"] == "forget" else "in other wordings"
    return f"{share} questions: {fact}, {way}, {wordings}"


def print_letters(answer: Mapping[str, Any]) -> None:
    """The recorded letters of a ticket, and those that can be written now."""
    if answer["items"]:
        print_table(
            ("letter", "kind", "law", "language", "edited", "recorded by", "recorded at", "destroyed at"),
            ((e["id"], e["kind"], e["regime"], e["language"], e["edited"], e["recorded_by"],
              short_time(e["recorded_at"]), short_time(e["destroyed_at"])) for e in answer["items"]),
        )  # fmt: skip
    console.print(f"Can be written now: {', '.join(answer['possible']) or 'none'}.")


def _due(ticket: Mapping[str, Any]) -> str:
    return "" if ticket["clock"] == "stopped" else (ticket["due_at"] or "")[:10]


def _time_used(ticket: Mapping[str, Any]) -> str:
    if ticket["clock"] != "running":
        return str(ticket["clock"])
    return f"{ticket['escalation']} %" if ticket["escalation"] else ""
