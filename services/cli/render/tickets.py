"""Tickets and clocks."""

from collections.abc import Mapping
from typing import Any

from services.cli.render.tables import console, rows


def tickets(answer: Mapping[str, Any]) -> None:
    """A list of tickets."""
    if not answer["items"]:
        console.print("There is no ticket.")
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
    console.print(f"[bold]{one['id']}[/]  {one['state'].replace('_', ' ')}{why}")
    console.print(f"{one['facts']} facts, {one['photos']} photos, filed by {one['submitted_by']} from {one['source']}")
    due = one["due"]
    console.print(
        f"clock {due['state']}, due {due['due']} ({due['law']}; {due['calendar']}), target {due['target']}, "
        f"latest possible {due['latest']}, {due['used_percent']:.0f} % used; identity {one['identity']}"
    )
    if one["duplicate_of"]:
        console.print(f"the same as {one['duplicate_of']}")
    if one["hold"]:
        asked = one["hold"]["release_asked_by"]
        more = f"; {asked} asked for its release, somebody else has to confirm" if asked else ""
        console.print(f"[yellow]legal hold[/] by {one['hold']['set_by']}: {one['hold']['reason']}{more}")
    if one["ground"]:
        console.print(f"approved by {one['decided_by']}: {one['ground'].replace('_', ' ')}")
    if one["decision_code"]:
        console.print(
            f"rejected by {one['decided_by']}: {one['decision_code'].replace('_', ' ')}: {one['decision_note']}"
        )
    rows(
        ("at", "state", "what", "by", "note"),
        ((e["at"][:19], e["state"], "" if e["kind"] == "state" else e["kind"], e["actor"], e["note"])
         for e in one["events"]),
    )  # fmt: skip


def clock(one: Mapping[str, Any]) -> None:
    """A ticket's clock."""
    console.print(
        f"[bold]{one['state']}[/], {one['used_percent']} % used: {one['law']}, {one['calendar']}, {one['zone']}"
    )
    rows(
        ("due", "target", "latest possible", "acknowledge by", "extended", "can be extended", "days paused"),
        [(one["due"], one["target"], one["latest"], one["acknowledge_by"], one["extended"], one["extendable"],
          one["paused_days"])],
    )  # fmt: skip
    rows(("at", "what", "by", "reason"), ((e["at"][:19], e["kind"], e["actor"], e["reason"]) for e in one["events"]))


def _due(ticket: Mapping[str, Any]) -> str:
    return "" if ticket["clock"] == "stopped" else f"{(ticket['due_at'] or '')[:10]}"


def _used(ticket: Mapping[str, Any]) -> str:
    if ticket["clock"] != "running":
        return str(ticket["clock"])
    return f"{ticket['escalation']} %" if ticket["escalation"] else ""
