"""An older database that is accepted knowingly, over HTTP, for two administrators. The rules stand in `restore.py`."""

import uuid
from typing import Any

from fastapi import APIRouter
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request import restore
from services.request.door import Act, Answer, Desk, Who
from services.request.schemas_desk import ReasonBody
from shared import highwater
from shared.db.models import RestoreAcceptance
from shared.db.session import transaction

router = APIRouter(tags=["restore"])


@router.post("/v1/restores", status_code=202)
def ask_restore(body: ReasonBody, act: Act) -> JSONResponse:
    """Ask to go on with a database that is older than what was served; nothing happens until another admin confirms."""

    def work(session: Session) -> Answer:
        return Answer(restore.view(restore.ask(session, act.office, act.who, body.reason)), 202)

    return act.once(work)


@router.post("/v1/restores/{acceptance_id}/confirm")
def confirm_restore(acceptance_id: uuid.UUID, act: Act) -> JSONResponse:
    """Confirm what another admin asked for: people erased since that backup are exposed until they are filed anew."""

    def work(session: Session) -> Answer:
        return Answer(restore.view(restore.confirm(session, act.office, act.who, acceptance_id)))

    return act.once(work)


@router.get("/v1/restores")
def list_restores(office: Desk, who: Who) -> dict[str, Any]:
    """All of them, newest first, and the signed high-water mark that stands."""
    with transaction(office.database) as session:
        found = session.scalars(select(RestoreAcceptance).order_by(RestoreAcceptance.asked_at.desc()).limit(100))
        return {"items": [restore.view(one) for one in found], "mark": highwater.shown(office.store, office.model_id)}
