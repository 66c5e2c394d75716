"""Wrapping all data keys anew over HTTP, for administrators: order it, follow it. The clerk does it (rewrap.py)."""

import uuid
from typing import Any

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request import rewrap
from services.request.door import Act, Answer, Desk, Who
from shared.db.models import Rewrap
from shared.db.session import transaction

router = APIRouter(tags=["keys"])


@router.post("/v1/rewraps", status_code=202)
def order_rewrap(act: Act) -> JSONResponse:
    """Wrap every data key anew under the newest wrapping key; payloads are not touched."""

    def work(session: Session) -> Answer:
        made = rewrap.order(session, act.who)
        return Answer(rewrap.view(made), 202, location=f"/v1/rewraps/{made.id}")

    return act.once(work)


@router.get("/v1/rewraps")
def list_rewraps(office: Desk, who: Who) -> dict[str, Any]:
    """The newest ones."""
    with transaction(office.database) as session:
        found = session.scalars(select(Rewrap).order_by(Rewrap.asked_at.desc()).limit(50))
        return {"items": [rewrap.view(one) for one in found]}


@router.get("/v1/rewraps/{rewrap_id}")
def show_rewrap(rewrap_id: uuid.UUID, office: Desk, who: Who) -> dict[str, Any]:
    """How far one is; at its end, which wrapping keys are still needed and which are not."""
    with transaction(office.database) as session:
        return rewrap.view(rewrap.get(session, rewrap_id))
