"""All attacks on one ticket, against one version: what the audit of a version has no time for. Writes no verdict.

    python -m services.audit.attack --ticket T [--version N] [--families spelling,pictures] [--per-family 40]

It runs where an audit worker could: with its settings, its database role and its model. The figures come as JSON on
standard output, by family and by kind of attack, without questions and answers. `lacuna audit attack` starts it beside
a stack of this machine and prints a table.
"""

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from typing import Any

from rich.console import Console

from services.audit.black_box import BlackBox
from services.audit.context import AuditContext, context_from
from services.audit.left_out import ATTACKS_NEVER_RUN
from services.audit.profiled import suite_for
from services.audit.tasks import open_tickets
from shared.artifacts.erasers import load_verified_eraser
from shared.core.config import load_settings
from shared.core.logging import LogStyle, configure_logging
from shared.db.repositories import erasers
from shared.db.repositories.tickets import find_ticket
from shared.db.session import transaction
from shared.errors import BadInput, LacunaError, NotFound
from shared.evaluation.attacks.families import FAMILIES


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description="Attack one ticket with every family of attacks.")
    parser.add_argument("--ticket", required=True)
    parser.add_argument(
        "--version", type=int, help="the newest that passed its audit and covers the ticket if left out"
    )
    parser.add_argument("--families", default="", help=f"of {', '.join(FAMILIES)}; all if left out")
    parser.add_argument("--per-family", type=int, help="attacks of one family, at most")
    given = parser.parse_args()
    configure_logging(logging.WARNING, LogStyle())
    try:
        families = chosen_families(given.families)
        figures = attack_ticket(
            context_from(load_settings()), given.ticket, families, version_number=given.version, most=given.per_family
        )
    except LacunaError as exc:
        Console(stderr=True, highlight=False).print(exc.detail, markup=False, soft_wrap=True)
        raise SystemExit(1) from exc
    json.dump(figures, sys.stdout, indent=1)
    print()


def chosen_families(names: str) -> tuple[str, ...]:
    """The families that are named with commas between; all for an empty text. Raises BadInput for others."""
    chosen = tuple(name.strip() for name in names.split(",") if name.strip())
    unknown = [name for name in chosen if name not in FAMILIES]
    if unknown:
        raise BadInput(f"There is no family {', '.join(unknown)}. There are {', '.join(FAMILIES)}.")
    return tuple(name for name in FAMILIES if not chosen or name in chosen)


def attack_ticket(
    context: AuditContext,
    ticket_id: str,
    families: Sequence[str],
    *,
    version_number: int | None = None,
    most: int | None = None,
) -> dict[str, Any]:
    """Figures of the families on one ticket, at most `most` attacks of each.

    Raises NotFound where there is no such ticket or version, or the version does not cover it, and NeedsResubmission
    where neither payload nor audit kit is left.
    """
    with transaction(context.database) as session:
        ticket = find_ticket(session, ticket_id)
        ticket_id = ticket.id
        if version_number is None:
            version = erasers.newest_passed(session, ticket)
        else:
            version = erasers.get_version(session, ticket.model_id, version_number)
        covered = [each for each in erasers.covered_tickets(session, str(version.id)) if each.id == ticket_id]
    if not covered:
        raise NotFound(f"Version {version.number} does not cover ticket {ticket_id}.")
    eraser = load_verified_eraser(context.store, context.keys, context.verifier, version)
    material = open_tickets(context, str(version.id), covered)
    if ticket_id not in material.subjects:
        raise NotFound(f"Ticket {ticket_id} is over, and nothing of it is left to attack with.")
    suite = suite_for(context, version)
    subject = suite.asked_about(material.subjects[ticket_id])
    black_box = BlackBox(suite.engine, suite.reference, suite.seed)
    observed = black_box.in_full(eraser, ticket_id, subject, families, most)
    near = observed.nearness
    figures = {family: own.as_json() for family, own in observed.figures().items()}
    return {
        "ticket": ticket_id,
        "version": version.number,
        "attacks": observed.tally.as_json(),
        "families": {
            family: {name: value for name, value in own.items() if name != "examples"}
            for family, own in figures.items()
        },
        "nearness": near.as_json() if near else None,
        "not_run": [f"attacks of the family {name}" for name in FAMILIES if name not in figures]
        + list(ATTACKS_NEVER_RUN),
    }


if __name__ == "__main__":
    main()
