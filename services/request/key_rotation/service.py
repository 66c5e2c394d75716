"""Order a key rotation: every data key is wrapped anew under the newest wrapping key, and no payload is touched.

It is ordered after a rotation of the wrapping key or a move to Vault. The order is a row, and `jobs.py` carries it out.
Knows no HTTP.
"""

import uuid

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from shared.core.clock import utc_now
from shared.db.models.operations import KeyRotation
from shared.db.repositories import audit_log
from shared.errors import Conflict, NotFound


def order(session: Session, principal: Principal) -> KeyRotation:
    """Order a key rotation; raises Conflict while another one is under way."""
    if session.scalar(select(KeyRotation.id).where(KeyRotation.finished_at.is_(None))) is not None:
        raise Conflict("A key rotation is under way: wait until it has ended.")
    rotation = KeyRotation(
        id=uuid.uuid4(),
        asked_by=principal.owner,
        asked_at=utc_now(),
        place=0,
        passes=0,
        done=0,
        total=0,
        rewrapped=0,
        seen={},
        before={},
        unreadable=[],
    )
    session.add(rotation)
    session.flush()
    audit_log.append_leaf(session, principal.owner, "keys.rewrap_ordered", str(rotation.id), {})
    return rotation


def get(session: Session, rotation_id: uuid.UUID) -> KeyRotation:
    """The key rotation; raises NotFound."""
    rotation = session.get(KeyRotation, rotation_id)
    if rotation is None:
        raise NotFound("There is no such key rotation.")
    return rotation
