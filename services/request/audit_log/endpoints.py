"""The audit log over HTTP, for auditors: checkpoints, leaves, proofs. To be checked with `lacuna verify log`."""

import base64
from typing import Annotated, Any

from fastapi import APIRouter, Query

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.audit_log import reader
from services.request.audit_log.dependencies import Book
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.errors import BadInput, NotFound, Unavailable
from shared.storage.object_keys import NEWEST_CHECKPOINT

router = APIRouter(tags=["log"])
MOST = 1000
Place = Annotated[int, Query(ge=0, le=2**53)]
Size = Annotated[int, Query(ge=1, le=2**53)]


@router.get("/v1/log/checkpoint")
def log_checkpoint(context: ContextDep, principal: PrincipalDep, size: Size | None = None) -> dict[str, Any]:
    """The newest signed checkpoint, or that at `size` leaves; `stored` is the newest note in the object store."""
    try:
        stored = context.store.get(NEWEST_CHECKPOINT).decode(errors="replace")
    except (NotFound, Unavailable):
        stored = None
    with transaction(context.database) as session:
        return reader.checkpoint(session, size) | {"stored": stored}


@router.get("/v1/log/checkpoints")
def log_checkpoints(
    context: ContextDep, principal: PrincipalDep, after: Place = 0, limit: Annotated[int, Query(ge=1, le=MOST)] = 100
) -> dict[str, Any]:
    """All signed checkpoints above `after` leaves, in order; `next` is the `after` of the next page."""
    with transaction(context.database) as session:
        found = audit_log.checkpoints(session, after, limit + 1)
    items = [{"size": one.size, "at": one.at, "note": one.note} for one in found[:limit]]
    return {"items": items, "next": found[limit - 1].size if len(found) > limit else None}


@router.get("/v1/log/timestamps")
def log_timestamps(
    context: ContextDep, principal: PrincipalDep, after: Place = 0, limit: Annotated[int, Query(ge=1, le=MOST)] = 100
) -> dict[str, Any]:
    """Tokens (RFC 3161, TimeStampResp in base64) on checkpoints above `after` leaves; `next` as for checkpoints."""
    with transaction(context.database) as session:
        found = audit_log.timestamps(session, after, limit + 1)
    items = [
        {"size": one.size, "attested_at": one.attested_at, "token": base64.b64encode(one.token).decode()}
        for one in found[:limit]
    ]
    return {"items": items, "next": found[limit - 1].size if len(found) > limit else None}


@router.get("/v1/log/leaves")
def log_leaves(
    context: ContextDep, principal: PrincipalDep, start: Place = 0, limit: Annotated[int, Query(ge=1, le=MOST)] = 100
) -> dict[str, Any]:
    """Leaves from place `start` on, each as the line that is hashed; `next` is the `start` of the next page."""
    with transaction(context.database) as session:
        found = audit_log.leaves(session, start, limit)
        placed = audit_log.sequenced_count(session)
    items = [{"position": leaf.position, "line": audit_log.leaf_bytes(leaf).decode()} for leaf in found]
    return {"items": items, "next": start + len(found) if found and start + len(found) < placed else None}


@router.get("/v1/log/proof")
def log_proof(
    context: ContextDep,
    principal: PrincipalDep,
    book: Book,
    size: Size,
    position: Place | None = None,
    first: Size | None = None,
) -> dict[str, Any]:
    """RFC 6962: that leaf `position` is among the first `size`, or that the first `first` leaves are unchanged."""
    if (position is None) == (first is None):
        raise BadInput("Ask either for a position (inclusion) or for a first size (consistency).")
    with transaction(context.database) as session:
        if position is not None:
            path = book.inclusion(session, position, size)
            return {"kind": "inclusion", "position": position, "size": size, "path": reader.shown(path)}
        path = book.consistency(session, first or 0, size)
        return {"kind": "consistency", "first": first, "size": size, "path": reader.shown(path)}
