"""The status of the installation."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from services.cli.render.console import bold, styled
from services.cli.render.refits import stage_of
from services.cli.render.tables import console, print_table, short_time, words

if TYPE_CHECKING:  # `lacuna --help` does not need it
    from shared.devstack.restarts import ProcessState


def print_status(status: Mapping[str, Any]) -> None:
    """What is served, alarms, tickets by state, replicas, refits, audits."""
    promoted = "no version yet" if status["promoted"] is None else f"version {status['promoted']}"
    console.print(bold(status["model"]), f" serves {promoted} (generation {status['generation']})", sep="")
    if status.get("stale"):
        console.print(status["stale"], style="red")
    for alarm in status.get("alarms", ()):
        console.print(styled(f"alarm: {alarm['name']}", "red"), alarm["sentence"])
    if status["uncovered"]:
        console.print(f"not covered by the promoted version: {', '.join(status['uncovered'])}", style="red")
    counts = ", ".join(f"{count} {words(state)}" for state, count in status["tickets"].items())
    console.print(f"tickets: {counts or 'none'}")
    print_table(
        ("replica", "version", "state", "error"),
        ((r["id"], r["version"], r["state"], r["error"]) for r in status["replicas"]),
        what="replicas",
    )
    print_table(
        ("refit", "status", "stage", "started at", "error"),
        ((r["kind"], r["status"], stage_of(r), short_time(r["started_at"]), r["error"]) for r in status["refits"]),
        what="refits",
    )
    print_table(
        ("audit of", "kind", "status", "verdict", "stage", "started at"),
        (
            (f"version {a['version']}", a["kind"], a["status"], a["verdict"], stage_of(a), short_time(a["started_at"]))
            for a in status.get("audits", ())
        ),
        what="audits",
    )


def print_processes(states: "Sequence[ProcessState]") -> None:
    """How many processes of the stack run, and those that ended since its start; nothing where none is known."""
    if not states:
        return
    running = [state for state in states if state.state == "running"]
    console.print(f"processes: {len(running)} of {len(states)} run")
    if ended := [state for state in states if state.last_end]:
        print_table(
            ("process", "state", "restarts", "last end", "at"),
            (
                (state.name, state.state, state.restarts, state.last_end, short_time(state.last_end_at))
                for state in ended
            ),
        )
