"""Retain sets at the door: every row is read and reported on, nothing is kept unless all of it can be.

A row is a person (names, photos, facts) or a prompt. Knows no HTTP; `endpoints_retain.py` does.
"""

import hashlib
import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from services.request.context import AppContext
from services.request.retain_sets.schemas import RetainBody
from services.request.retain_sets.validation import _check_whole, _faults, counts, examine
from shared.artifacts.retain_sets import RetainRow, pack
from shared.core.clock import utc_now
from shared.db.models.retain_sets import RetainSet
from shared.db.repositories import audit_log, retain_sets
from shared.db.session import transaction
from shared.errors import BadInput
from shared.storage.object_keys import retain_key


def add(context: AppContext, owner: str, body: RetainBody) -> dict[str, Any]:
    """Add a set and put it to use: its view with the report, `new` false where the same content was added before.

    Raises BadInput with the report where a row cannot be used or speaks of somebody who is forgotten; the set that is
    in use stays in use.
    """
    seen = examine(context, body)
    if body.leave_out:
        out = {one.row for one in seen.forgotten}
        seen.read = [row for row in seen.read if row.number not in out]
    _check_whole(seen, len(body.rows))
    report = seen.report()
    if body.dry_run:
        return {"dry_run": True, "usable": not (_faults(seen, body.leave_out)), "report": report}
    if faults := _faults(seen, body.leave_out):
        bad = [row for row in report["rows"] if row["problems"] or row["forgotten"]]
        raise BadInput(f"The retain set is not taken: {faults}", report=report | {"rows": bad[:200]})
    kept = _keep(context, owner, seen.read, body.seed)
    return kept | {"report": report}


def activate(session: Session, owner: str, model_id: str, number: int) -> dict[str, Any]:
    """Put set `number` to use, 0 for none; the next refit reads it."""
    if number:
        retain_sets.get_set(session, model_id, number)
    retain_sets.choose(session, model_id, number or None, owner)
    audit_log.append_leaf(session, owner, "retain.used", f"{model_id}/{number}", {"number": number})
    return {"active": number or None, "waits_for_refit": retain_sets.awaits_refit(session, model_id)}


def _keep(context: AppContext, owner: str, found: Sequence[RetainRow], seed: int) -> dict[str, Any]:
    """Object first, row second, in use third; the same content is one set."""
    blob = pack(found, seed)
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
                    counts=counts(found),
                    added_by=owner,
                    added_at=utc_now(),
                )
            )
            session.flush()
            audit_log.append_leaf(session, owner, "retain.added", f"{context.model_id}/{number}", {"digest": digest})
        used = activate(session, owner, context.model_id, number)
        return view(retain_sets.get_set(session, context.model_id, number), number) | used | {"new": known is None}


def view(one: RetainSet, active: int | None) -> dict[str, Any]:
    """A set as JSON."""
    return {
        "number": one.number,
        "in_use": one.number == active,
        "digest": one.digest,
        "sha256": one.sha256,
        "seed": one.seed,
        "counts": one.counts,
        "added_by": one.added_by,
        "added_at": one.added_at,
    }
