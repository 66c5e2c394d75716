"""/console/status, /console/figures and /console/log: alarms, key figures of the requests, and the audit log."""

import base64
import json
from datetime import datetime
from typing import Annotated, Final

from fastapi import Query, Response

from services.request.audit_log import endpoints as audit_log
from services.request.audit_log.dependencies import LogReaderDep
from services.request.audit_log.responses import CheckpointResponse
from services.request.console.routing import console_router
from services.request.console.visit import Visit, VisitDep, first_moment
from services.request.monitoring import endpoints as monitoring
from services.request.registers import endpoints as registers
from services.request.registers.responses import KeyFigures
from shared.errors import NotFound
from shared.transparency.merkle_tree import leaf_hash
from shared.transparency.proofs import is_included

router = console_router()
LEAVES: Final = 50
LARGEST: Final = 2**31 - 1


@router.get("/console/status")
def show_status(visit: VisitDep) -> Response:
    """What did not happen in time, and the installation at a glance."""
    return visit.page("status.html", status=visit.permit(monitoring.status)(visit.context, visit.principal))


@router.get("/console/figures")
def show_figures(visit: VisitDep, since: str = "", until: str = "") -> Response:
    """Key figures of the requests filed in a period."""
    answer = visit.permit(registers.register_kpis)(
        visit.context, visit.principal, _midnight(visit, since), _midnight(visit, until)
    )
    figures = KeyFigures.model_validate_json(bytes(answer.body))
    return visit.page("figures.html", figures=figures, since=since, until=until)


@router.get("/console/figures/{name}.csv")
def download_register(name: str, visit: VisitDep, since: str = "", until: str = "") -> Response:
    """The register or its figures as a file for a spreadsheet."""
    period = (_midnight(visit, since), _midnight(visit, until))
    if name == "kpis":
        return visit.permit(registers.register_kpis)(visit.context, visit.principal, *period, "csv")
    if name == "requests":
        return visit.permit(registers.register_requests)(visit.context, visit.principal, *period, "csv", None, 5000)
    raise NotFound("There is no such register.")


@router.get("/console/log")
def show_log(visit: VisitDep, start: Annotated[int | None, Query(ge=0, le=LARGEST)] = None) -> Response:
    """Leaves of the audit log, the newest first, or those from a position on."""
    checkpoint = _checkpoint(visit)
    size = checkpoint.size if checkpoint else 0
    begin = max(0, size - LEAVES) if start is None else start
    page = visit.permit(audit_log.log_leaves)(visit.context, visit.principal, begin, LEAVES)
    leaves = [(leaf.position, json.loads(leaf.line)) for leaf in reversed(page.items) if leaf.line is not None]
    return visit.page(
        "log.html",
        leaves=leaves,
        checkpoint=checkpoint,
        older=max(0, begin - LEAVES) if begin else None,
        newer=page.next,
    )


@router.get("/console/log/{position}")
def show_leaf(position: int, visit: VisitDep, log_reader: LogReaderDep) -> Response:
    """One leaf with the proof that it is in the signed log, checked on the way."""
    if not 0 <= position <= LARGEST:
        raise NotFound("There is no such leaf.")
    checkpoint = _checkpoint(visit)
    page = visit.permit(audit_log.log_leaves)(visit.context, visit.principal, position, 1)
    if not page.items or checkpoint is None or position >= checkpoint.size:
        raise NotFound(f"There is no leaf {position} in the signed log.")
    proof = visit.permit(audit_log.log_proof)(
        visit.context, visit.principal, log_reader, checkpoint.size, position=position
    )
    line = page.items[0].line
    if line is None:
        raise NotFound(f"There is no leaf {position} that is this tenant's.")
    path = [base64.b64decode(step) for step in proof.path]
    holds = is_included(leaf_hash(line.encode()), position, checkpoint.size, path, base64.b64decode(checkpoint.root))
    return visit.page(
        "leaf.html",
        position=position,
        line=line,
        leaf=json.loads(line),
        proof=proof,
        checkpoint=checkpoint,
        holds=holds,
    )


def _checkpoint(visit: Visit) -> CheckpointResponse | None:
    """The newest signed checkpoint; None in the first second of a log."""
    read = visit.permit(audit_log.log_checkpoint)
    try:
        return read(visit.context, visit.principal)
    except NotFound:
        return None


def _midnight(visit: Visit, text: str) -> datetime | None:
    """The first moment of a day that was typed, on the clocks of the installation's zone; None where it is empty."""
    return first_moment(text, visit.context.zone) if text else None
