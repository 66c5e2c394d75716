"""Retain sets over HTTP: add one (or see what adding it would say), list, show, choose which is in use."""

from collections.abc import Callable
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Request, Response

from services.request import retain
from services.request.retain import RetainBody
from services.request.service import Office
from shared.db import repository_retain as sets
from shared.db.models import ApiKey
from shared.db.session import transaction
from shared.web import allow

MANAGE: Final = ("officer", "operator", "admin")
READ: Final = ("requester", "officer", "approver", "auditor", "operator", "admin")


def router(office: Office, person: Callable[[Request], ApiKey]) -> APIRouter:
    """The endpoints over `office`; `person` finds who asks."""
    api = APIRouter(tags=["retain sets"])
    Who = Annotated[ApiKey, Depends(person)]

    @api.post("/v1/retain-sets", status_code=201)
    def add_retain_set(body: RetainBody, who: Who, response: Response) -> dict[str, Any]:
        """Add a set and put it to use; with `dry_run` only the report."""
        allow(who.roles, MANAGE)
        answer = retain.add(office, who.owner, body)
        if not answer.get("new"):
            response.status_code = 200
        return answer

    @api.get("/v1/retain-sets")
    def list_retain_sets(who: Who) -> dict[str, Any]:
        """The newest first."""
        allow(who.roles, READ)
        with transaction(office.database) as session:
            active = sets.active_set(session, office.model_id)
            number = active.number if active else None
            return {
                "items": [retain.view(one, number) for one in sets.list_sets(session, office.model_id)],
                "active": number,
                "waits_for_refit": sets.waits(session, office.model_id),
            }

    @api.get("/v1/retain-sets/{number}")
    def show_retain_set(number: int, who: Who) -> dict[str, Any]:
        """One set; never its people."""
        allow(who.roles, READ)
        with transaction(office.database) as session:
            active = sets.active_set(session, office.model_id)
            return retain.view(sets.get_set(session, office.model_id, number), active.number if active else None)

    @api.post("/v1/retain-sets/{number}/use")
    def use_retain_set(number: int, who: Who) -> dict[str, Any]:
        """Use this set from the next refit on; 0 for the reference people alone."""
        allow(who.roles, MANAGE)
        with transaction(office.database) as session:
            return retain.use(session, who.owner, office.model_id, number)

    return api
