"""/console/erasers/progress and /events: refits and audits that are under way, as they go on.

What is shown is what the workers wrote, and whether they are still heard of: a run whose lease has lapsed is not shown
as one that goes on.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final

from fastapi import Response

from services.request.console import sessions
from services.request.console.routing import console_router
from services.request.console.streams import Part, open_stream
from services.request.console.visit import COOKIE, Visit, VisitDep
from services.request.erasers import endpoints as erasers
from services.request.refits import endpoints as refits
from shared.core.clock import utc_now
from shared.db.models.audits import AuditRun
from shared.db.models.refits import RefitRun
from shared.db.repositories import audits
from shared.db.repositories import refits as refits_repository
from shared.db.session import transaction

router = console_router()
PATH: Final = "/console/erasers/progress"
EVENTS: Final = "/console/erasers/events"
RECENT: Final = 6  # refits and audits that are listed


@router.get(PATH)
def progress(visit: VisitDep) -> Response:
    """The part of the page by itself, for a page that asks again every few seconds."""
    return visit.fragment("progress.html", **under_way(visit))


@router.get(EVENTS)
async def events(visit: VisitDep) -> Response:
    """The same part, sent whenever it changes."""
    visit.permit(refits.list_refits)
    context, request = visit.context, visit.request
    part = Part(
        person=f"{visit.principal.tenant_id}/{visit.principal.owner}",
        subject=context.model_id,
        read=lambda: _state(visit),
        render=lambda: bytes(_again(visit).body).decode(),
    )
    return open_stream(request.scope, request.app.state.console_streams, part)


def under_way(visit: Visit) -> dict[str, Any]:
    """What `progress.html` shows."""
    runs = visit.permit(refits.list_refits)(visit.context, visit.principal, RECENT).items
    with transaction(visit.context.database) as session:
        audited = audits.recent_audits(session, visit.context.model_id, RECENT)
        refitted = refits_repository.recent_runs(session, visit.context.model_id, RECENT)
        silent = {run.id for run in refitted if _is_silent(run)} | {run.id for run, _ in audited if _is_silent(run)}
        ordered = refits_repository.unclaimed_orders(session, visit.context.model_id)
        to_audit = audits.unclaimed_orders(session, visit.context.model_id)
    now = utc_now()

    def spent(began: datetime, ended: datetime | None) -> timedelta:
        return (ended or now) - began

    return {
        "refits": runs,
        "audits": audited,
        "silent": silent,
        "ordered": ordered,
        "to_audit": to_audit,
        "spent": spent,
        "may_audit": visit.may(erasers.show_audit),
    }


def _is_silent(run: RefitRun | AuditRun) -> bool:
    """Whether the lease of its worker has lapsed, and no other one has taken it up yet."""
    return run.status == "running" and run.lease_until is not None and run.lease_until < utc_now()


def _state(visit: Visit) -> str:
    """Different whenever what is shown is, apart from times that pass."""
    seen = under_way(visit)
    runs = [(run.id, run.status, run.stage, run.progress, run.attempt, run.error, run.notes) for run in seen["refits"]]
    tried = [(run.id, run.status, run.verdict, run.stage, run.progress, run.error) for run, _ in seen["audits"]]
    return repr((runs, tried, sorted(seen["silent"]), seen["ordered"], seen["to_audit"]))


def _again(visit: Visit) -> Response:
    """The part for whose session it was, who may have lost roles since. Raises Unauthorized where it is over."""
    secret = visit.request.cookies[COOKIE]
    principal = sessions.principal_of(visit.request.app.state.context.database, secret)
    return progress(replace(visit, principal=principal))
