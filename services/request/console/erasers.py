"""/console/erasers: versions and what is served where, and what a change would do before it is made."""

import uuid
from dataclasses import dataclass
from typing import Final

from fastapi import Response

from services.request.break_glass import endpoints as break_glass
from services.request.break_glass.schemas import BreakGlassCreate
from services.request.console import reports
from services.request.console.progress import under_way
from services.request.console.routing import console_router
from services.request.console.visit import FormDep, Visit, VisitDep
from services.request.erasers import endpoints as erasers
from services.request.erasers.responses import EraserDetailResponse
from services.request.monitoring import endpoints as monitoring
from services.request.refits import endpoints as refits
from shared.db.repositories import erasers as erasers_repository
from shared.db.repositories import rollouts
from shared.db.repositories import tickets as tickets_repository
from shared.db.session import transaction
from shared.errors import BadInput, NotFound

router = console_router()
PATH: Final = "/console/erasers"
VERSION: Final = f"{PATH}/{{number}}"
LARGEST: Final = 2**31 - 1


@dataclass(frozen=True)
class Change:
    """What serving another version would do: whom it would expose, and whether the database would let it."""

    kind: str  # promote, rollback, or none where the version is served already
    exposed: tuple[str, ...]
    in_force: int  # tickets that a new version by the same recipe would cover

    @property
    def allowed(self) -> bool:
        """Whether it would be carried out, apart from the audit of the version."""
        return self.kind != "none" and not self.exposed


@router.get(PATH)
def show_versions(visit: VisitDep) -> Response:
    """The versions, the replicas, and what is under way."""
    versions = visit.permit(erasers.list_erasers)(visit.context, visit.principal).items
    status = visit.permit(monitoring.status)(visit.context, visit.principal)
    return visit.page(
        "erasers.html",
        versions=versions,
        status=status,
        may_order=visit.may(refits.order_refit),
        **under_way(visit),
    )


@router.post(f"{PATH}/refit")
def refit(form: FormDep) -> Response:
    """Order a refit now."""
    form.visit.permit(refits.order_refit)(form.mutation())
    return form.done(PATH, "refit")


@router.get(f"{PATH}/compare")
def compare(visit: VisitDep, older: int, newer: int) -> Response:
    """The reports of two versions beside each other."""
    read = visit.permit(erasers.show_audit)
    first, second = (read(_number(number), visit.context, visit.principal) for number in (older, newer))
    tickets = [set(visit.permit(erasers.show_eraser)(number, visit.context, visit.principal, Response()).tickets)
               for number in (older, newer)]  # fmt: skip
    return visit.page(
        "compare.html",
        first=first,
        second=second,
        reports=reports,
        rows=reports.compared(first.report or {}, second.report or {}),
        matrix=reports.matrix(first.report or {}, second.report or {}),
        came=sorted(tickets[1] - tickets[0]),
        went=sorted(tickets[0] - tickets[1]),
    )


@router.get(VERSION)
def show_version(number: int, visit: VisitDep) -> Response:
    """One version with the report of its audit, and what serving it would do."""
    seen = Response()
    version = visit.permit(erasers.show_eraser)(_number(number), visit.context, visit.principal, seen)
    audit = None
    if visit.may(erasers.show_audit):
        try:
            audit = erasers.show_audit(number, visit.context, visit.principal)
        except NotFound:
            audit = None
    return visit.page(
        "version.html",
        version=version,
        audit=audit,
        report=audit.report if audit else None,
        reports=reports,
        change=_change(visit, version),
        etag=seen.headers["etag"],
        may_promote=visit.may(erasers.promote),
        may_break_glass=visit.may(break_glass.ask_break_glass),
    )


@router.post(f"{VERSION}/promote")
def promote(number: int, form: FormDep) -> Response:
    """Serve a newer version."""
    form.visit.permit(erasers.promote)(_number(number), form.mutation())
    return form.done(PATH, "promote")


@router.post(f"{VERSION}/rollback")
def rollback(number: int, form: FormDep) -> Response:
    """Serve an earlier version; refused where it would expose somebody."""
    form.visit.permit(erasers.rollback)(_number(number), form.mutation())
    return form.done(PATH, "rollback")


@router.post(f"{VERSION}/forward")
def forward(number: int, form: FormDep) -> Response:
    """Order a new version by the recipe of an older one, with everybody of today."""
    form.visit.permit(erasers.forward_eraser)(_number(number), form.mutation())
    return form.done(PATH, "forward")


@router.post(f"{VERSION}/break-glass")
def ask_break_glass(number: int, form: FormDep) -> Response:
    """Ask to serve it for a time although it exposes somebody."""
    body = form.body(BreakGlassCreate, {"reason": form.text("reason"), "minutes": form.text("minutes")})
    form.visit.permit(break_glass.ask_break_glass)(_number(number), body, form.mutation())
    return form.done("/console/break-glass", "break-glass")


@router.get("/console/break-glass")
def show_ledger(visit: VisitDep) -> Response:
    """Every time that somebody was exposed knowingly, by whom, why and for how long."""
    accesses = visit.permit(break_glass.list_break_glass)(visit.context, visit.principal).items
    return visit.page(
        "break_glass.html",
        accesses=accesses,
        may_confirm=visit.may(break_glass.confirm_break_glass),
        may_end=visit.may(break_glass.end_break_glass),
    )


@router.post("/console/break-glass/{access_id}/confirm")
def confirm_break_glass(access_id: uuid.UUID, form: FormDep) -> Response:
    """Confirm what another administrator asked for."""
    form.visit.permit(break_glass.confirm_break_glass)(access_id, form.mutation())
    return form.done("/console/break-glass", "confirm")


@router.post("/console/break-glass/{access_id}/end")
def end_break_glass(access_id: uuid.UUID, form: FormDep) -> Response:
    """End it before its time."""
    form.visit.permit(break_glass.end_break_glass)(access_id, form.mutation())
    return form.done("/console/break-glass", "end")


def _change(visit: Visit, version: EraserDetailResponse) -> Change:
    """The preview asks what the guard of the database asks."""
    model_id = visit.context.model_id
    with transaction(visit.context.database) as session:
        row = erasers_repository.get_version(session, model_id, version.number)
        served = rollouts.desired_version(session, model_id)
        exposed = tuple(rollouts.uncovered_tickets(session, model_id, row.id))
        in_force = len(tickets_repository.tickets_in_force(session, model_id))
    if version.promoted:
        kind = "none"
    else:
        kind = "rollback" if served is not None and version.number < served.version.number else "promote"
    return Change(kind, exposed, in_force)


def _number(number: int) -> int:
    """The number of a version, as the API bounds it."""
    if not 0 <= number <= LARGEST:
        raise BadInput("The number of a version is a whole number from 0 on.")
    return number
