"""State and exposure ledger."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request.break_glass import service
from shared.db.models.erasers import BreakGlass, EraserVersion, Exposure


def _state(one: BreakGlass) -> str:
    return "ended" if one.ended_at else "open" if one.confirmed_at else "asked"


def _glass(session: Session, one: BreakGlass) -> dict[str, Any]:
    ledger = session.scalars(select(Exposure).where(Exposure.break_glass_id == one.id).order_by(Exposure.ticket_id))
    return {
        "id": str(one.id),
        "state": _state(one),
        "version": session.get_one(EraserVersion, one.version_id).number,
        "reason": one.reason,
        "minutes": one.minutes,
        "asked_by": one.asked_by,
        "asked_at": one.asked_at,
        "confirmed_by": one.confirmed_by,
        "confirmed_at": one.confirmed_at,
        "expires_at": one.expires_at,
        "ended_by": one.ended_by,
        "ended_at": one.ended_at,
        "tickets": service.covered_ticket_ids(session, one.id),
        "exposure": [
            {"ticket": e.ticket_id, "started_at": e.started_at, "ended_at": e.ended_at, "seconds": e.seconds}
            for e in ledger
        ],
    }
