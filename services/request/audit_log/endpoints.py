"""/v1/log: checkpoints, time-stamps, leaves and proofs of the audit log, for auditors.

`lacuna verify log` checks them.
"""

import base64
from typing import Annotated, Final

from fastapi import APIRouter, Query

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.audit_log import reader
from services.request.audit_log.dependencies import LogReaderDep
from services.request.audit_log.responses import (
    CheckpointPage,
    CheckpointResponse,
    ConsistencyProofResponse,
    InclusionProofResponse,
    LeafPage,
    LeafResponse,
    LogTimestampPage,
    LogTimestampResponse,
    SignedCheckpointResponse,
)
from shared.db.models.transparency import LogLeaf
from shared.db.repositories import audit_log
from shared.db.session import transaction
from shared.domain.accounts import OPERATING_TENANT
from shared.errors import BadInput, NotFound, Unavailable
from shared.storage.object_keys import NEWEST_CHECKPOINT

router = APIRouter(tags=["log"])
MOST_LISTED: Final = 1000
Position = Annotated[int, Query(ge=0, le=2**53)]
Size = Annotated[int, Query(ge=1, le=2**53)]
PageSize = Annotated[int, Query(ge=1, le=MOST_LISTED)]


@router.get("/v1/log/checkpoint")
def log_checkpoint(context: ContextDep, principal: PrincipalDep, size: Size | None = None) -> CheckpointResponse:
    """The newest signed checkpoint, or the one at `size` leaves; `stored` is the newest note in the object store."""
    try:
        stored = context.store.get(NEWEST_CHECKPOINT).decode(errors="replace")
    except (NotFound, Unavailable):
        stored = None
    with transaction(context.database) as session:
        checkpoint = reader.get_checkpoint(session, size)
        return CheckpointResponse(
            size=checkpoint.size,
            at=checkpoint.at,
            note=checkpoint.note,
            root=base64.b64encode(checkpoint.root).decode(),
            stored=stored,
        )


@router.get("/v1/log/checkpoints")
def log_checkpoints(
    context: ContextDep, principal: PrincipalDep, after: Position = 0, limit: PageSize = 100
) -> CheckpointPage:
    """All signed checkpoints above `after` leaves, in order; `next` is the `after` of the next page."""
    with transaction(context.database) as session:
        checkpoints = audit_log.checkpoints(session, after, limit + 1)
        return CheckpointPage(
            items=[SignedCheckpointResponse.model_validate(checkpoint) for checkpoint in checkpoints[:limit]],
            next=checkpoints[limit - 1].size if len(checkpoints) > limit else None,
        )


@router.get("/v1/log/timestamps")
def log_timestamps(
    context: ContextDep, principal: PrincipalDep, after: Position = 0, limit: PageSize = 100
) -> LogTimestampPage:
    """Tokens (RFC 3161, TimeStampResp in base64) on checkpoints above `after` leaves; `next` as for checkpoints."""
    with transaction(context.database) as session:
        timestamps = audit_log.timestamps(session, after, limit + 1)
        return LogTimestampPage(
            items=[
                LogTimestampResponse(
                    size=timestamp.size,
                    attested_at=timestamp.attested_at,
                    token=base64.b64encode(timestamp.token).decode(),
                )
                for timestamp in timestamps[:limit]
            ],
            next=timestamps[limit - 1].size if len(timestamps) > limit else None,
        )


@router.get("/v1/log/leaves")
def log_leaves(context: ContextDep, principal: PrincipalDep, start: Position = 0, limit: PageSize = 100) -> LeafPage:
    """Leaves from position `start` on, each as the line that is hashed; `next` is the `start` of the next page.

    Of a leaf of another tenant there is the hash alone, so that the log as a whole can still be checked.
    """
    with transaction(context.database) as session:
        leaves = audit_log.leaves(session, start, limit)
        size = audit_log.sequenced_count(session)
        end = start + len(leaves)
        return LeafPage(
            items=[
                _leaf_response(leaf, leaf.position, own=(leaf.tenant_id or OPERATING_TENANT) == principal.tenant_id)
                for leaf in leaves
                if leaf.position is not None
            ],
            next=end if leaves and end < size else None,
        )


def _leaf_response(leaf: LogLeaf, position: int, *, own: bool) -> LeafResponse:
    if own:
        return LeafResponse(position=position, line=audit_log.leaf_bytes(leaf).decode())
    return LeafResponse(position=position, line=None, leaf_hash=base64.b64encode(leaf.leaf_hash or b"").decode())


@router.get("/v1/log/proof")
def log_proof(
    context: ContextDep,
    principal: PrincipalDep,
    log_reader: LogReaderDep,
    size: Size,
    position: Position | None = None,
    first: Size | None = None,
) -> InclusionProofResponse | ConsistencyProofResponse:
    """RFC 6962: that leaf `position` is among the first `size`, or that the first `first` leaves are unchanged."""
    with transaction(context.database) as session:
        if position is not None and first is None:
            path = reader.encode_path(log_reader.inclusion(session, position, size))
            return InclusionProofResponse(kind="inclusion", position=position, size=size, path=path)
        if first is not None and position is None:
            path = reader.encode_path(log_reader.consistency(session, first, size))
            return ConsistencyProofResponse(kind="consistency", first=first, size=size, path=path)
    raise BadInput("Ask either for a position (inclusion) or for a first size (consistency).")
