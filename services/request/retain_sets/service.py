"""Adds retain sets and chooses the one in use. Every row is checked and reported on; a set is kept whole or not at all.

A row is a person (names, photos, facts) or a prompt.
"""

import hashlib
import uuid
from collections.abc import Sequence
from typing import Final

from sqlalchemy.orm import Session

from services.request.context import AppContext
from services.request.retain_sets.responses import (
    AddedRetainSetResponse,
    DryRunResponse,
    RetainSetInUse,
    RetainSetReport,
    retain_set_response,
)
from services.request.retain_sets.schemas import RetainSetCreate
from services.request.retain_sets.validation import Validation, split_counts, validate
from shared.artifacts.retain_sets import RetainRow, pack
from shared.core.clock import utc_now
from shared.db.models.retain_sets import RetainSet
from shared.db.repositories import audit_log, retain_sets
from shared.db.session import transaction
from shared.errors import BadInput
from shared.storage.object_keys import retain_key

MOST_REPORTED: Final = 200  # rows in the report of a refused set


def try_out(context: AppContext, body: RetainSetCreate) -> DryRunResponse:
    """Report on a set without keeping it."""
    validation = _validate(context, body)
    return DryRunResponse(dry_run=True, usable=not validation.faults(body.leave_out), report=validation.report())


def add(context: AppContext, owner: str, body: RetainSetCreate) -> AddedRetainSetResponse:
    """Add a set and put it to use.

    Raises BadInput with the report where a row cannot be used or is about somebody who is forgotten; the set in use
    then stays in use.
    """
    validation = _validate(context, body)
    report = validation.report()
    if faults := validation.faults(body.leave_out):
        bad = [row for row in report.rows if row.problems or row.forgotten]
        refused = report.model_copy(update={"rows": bad[:MOST_REPORTED]})
        raise BadInput(f"The retain set is refused: {faults}", report=refused.model_dump(mode="json"))
    return _keep(context, owner, validation.rows, body.seed, report)


def activate(session: Session, owner: str, model_id: str, number: int) -> RetainSetInUse:
    """Put set `number` to use, 0 for none; the next refit reads it. Raises NotFound."""
    if number:
        retain_sets.get_set(session, model_id, number)
    retain_sets.choose(session, model_id, number or None, owner)
    audit_log.append_leaf(session, owner, "retain.used", f"{model_id}/{number}", {"number": number})
    return RetainSetInUse(active=number or None, waits_for_refit=retain_sets.awaits_refit(session, model_id))


def _validate(context: AppContext, body: RetainSetCreate) -> Validation:
    validation = validate(context, body)
    if body.leave_out:
        validation.leave_out_forgotten()
    validation.check_whole(len(body.rows))
    return validation


def _keep(
    context: AppContext, owner: str, rows: Sequence[RetainRow], seed: int, report: RetainSetReport
) -> AddedRetainSetResponse:
    """Write the object first, then the row, then put the set to use; the same content is one set."""
    blob = pack(rows, seed)
    digest = context.keys.blind_index(hashlib.sha256(blob).hexdigest())
    with transaction(context.database) as session:
        known = retain_sets.set_by_digest(session, context.model_id, digest)
        number = known.number if known else retain_sets.next_number(session, context.model_id)
        if known is None:
            key = retain_key(context.model_id, number, digest, uuid.uuid4().hex[:8])
            sealed = context.keys.seal(blob, key)
            context.store.put(key, sealed.blob)
            session.add(
                RetainSet(
                    model_id=context.model_id,
                    number=number,
                    digest=digest,
                    object_key=key,
                    sha256=hashlib.sha256(sealed.blob).hexdigest(),
                    wrapped_key=sealed.wrapped_key,
                    seed=seed,
                    counts={split: counts.model_dump() for split, counts in split_counts(rows).items()},
                    added_by=owner,
                    added_at=utc_now(),
                )
            )
            session.flush()
            audit_log.append_leaf(session, owner, "retain.added", f"{context.model_id}/{number}", {"digest": digest})
        in_use = activate(session, owner, context.model_id, number)
        kept = retain_set_response(retain_sets.get_set(session, context.model_id, number), number)
        return AddedRetainSetResponse(**dict(kept), **dict(in_use), new=known is None, report=report)
