"""The officer's API. Start: `uvicorn services.request.app:create --factory`. Never reaches torch.

Endpoints check who asks and render what comes; the rules stand in `service.py`.
"""

from typing import Annotated, Any

from fastapi import Depends, FastAPI, Header, Query, Request, Response
from sqlalchemy import func, select, text

from services.request import endpoints_desk, endpoints_retain, restore, service, views
from services.request.schemas import ApproveBody, RejectBody, TicketBody, WithdrawBody
from services.request.service import Office
from shared.config import Settings, load_settings
from shared.crypto import KeyRing
from shared.db import repository as rows
from shared.db.models import ApiKey, EraserVersion, Ticket
from shared.db.session import make_engine, transaction
from shared.errors import NotFound, PreconditionFailed, Unauthorized
from shared.store.opening import open_store
from shared.web import allow, bearer, install

FILE = ("requester", "officer", "admin")
READ = ("requester", "officer", "approver", "auditor", "operator", "admin")
DECIDE = ("approver", "admin")
MANAGE = ("officer", "approver", "admin")
OPERATE = ("operator", "officer", "admin")
PROMOTE = ("operator", "admin")
AUDIT = ("auditor", "officer", "approver", "operator", "admin")


def create(settings: Settings | None = None) -> FastAPI:
    """The application, from the environment where no settings are given."""
    chosen = settings or load_settings()
    chosen.need("database_url", "kek")
    return build(
        Office(
            make_engine(chosen.database_url),
            open_store(chosen),
            KeyRing.from_settings(chosen),
            chosen.model_id,
            regime=chosen.regime,
            calendar=chosen.calendar,
            zone=chosen.zone,
        )
    )


def build(office: Office) -> FastAPI:  # noqa: PLR0915 - one statement for each endpoint
    """The application over `office`."""
    app = FastAPI(title="Lacuna: requests to be forgotten", version="1", openapi_url="/v1/openapi.json")
    install(app)
    app.state.office = office
    app.include_router(endpoints_desk.router)

    def person(request: Request) -> ApiKey:
        key = bearer(request)
        with transaction(office.database) as session:
            found = rows.find_api_key(session, key)
        if found is None:
            raise Unauthorized("This key is not known, or was revoked.")
        return found

    Who = Annotated[ApiKey, Depends(person)]

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        return {"status": "alive"}

    @app.get("/readyz")
    def readyz() -> dict[str, str]:
        with transaction(office.database) as session:
            session.execute(text("SELECT 1"))
        return {"status": "ready"}

    @app.post("/v1/tickets", status_code=201)
    def submit(
        body: TicketBody,
        who: Who,
        response: Response,
        idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    ) -> dict[str, Any]:
        allow(who.roles, FILE)
        ticket, new = service.submit(office, who, body, idempotency_key)
        response.status_code = 201 if new else 200
        response.headers["Location"] = f"/v1/tickets/{ticket.id}"
        return _shown(ticket.tenant_id, ticket.id, response)

    @app.get("/v1/tickets")
    def list_tickets(
        who: Who,
        state: str | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        after: str | None = None,
    ) -> dict[str, Any]:
        allow(who.roles, READ)
        with transaction(office.database) as session:
            found = rows.list_tickets(session, who.tenant_id, state, limit, after)
            return {
                "items": views.tickets(session, found),
                "next": found[-1].id if len(found) == limit else None,
            }

    def _shown(tenant: str, ticket_id: str, response: Response) -> dict[str, Any]:
        with transaction(office.database) as session:
            ticket = rows.get_ticket(session, tenant, ticket_id)
            response.headers["ETag"] = f'"{ticket.version}"'
            return views.ticket_with_events(session, ticket)

    @app.get("/v1/tickets/{ticket_id}")
    def show(ticket_id: str, who: Who, response: Response) -> dict[str, Any]:
        allow(who.roles, READ)
        return _shown(who.tenant_id, ticket_id, response)

    def _unchanged(session: Any, tenant: str, ticket_id: str, if_match: str | None) -> None:
        if if_match is not None:
            ticket = rows.get_ticket(session, tenant, ticket_id, lock=True)
            if if_match.strip().strip('"') != str(ticket.version):
                raise PreconditionFailed(f"{ticket.id} was changed in the meantime: look at it again.")

    IfMatch = Annotated[str | None, Header()]

    @app.post("/v1/tickets/{ticket_id}/approve")
    def approve(
        ticket_id: str, body: ApproveBody, who: Who, response: Response, if_match: IfMatch = None
    ) -> dict[str, Any]:
        allow(who.roles, DECIDE)
        with transaction(office.database) as session:
            _unchanged(session, who.tenant_id, ticket_id, if_match)
            service.approve(session, who, ticket_id, body)
        return _shown(who.tenant_id, ticket_id, response)

    @app.post("/v1/tickets/{ticket_id}/reject")
    def reject(
        ticket_id: str, body: RejectBody, who: Who, response: Response, if_match: IfMatch = None
    ) -> dict[str, Any]:
        allow(who.roles, MANAGE)
        with transaction(office.database) as session:
            _unchanged(session, who.tenant_id, ticket_id, if_match)
            service.reject(session, who, ticket_id, body)
        return _shown(who.tenant_id, ticket_id, response)

    @app.post("/v1/tickets/{ticket_id}/withdraw")
    def withdraw(
        ticket_id: str, body: WithdrawBody, who: Who, response: Response, if_match: IfMatch = None
    ) -> dict[str, Any]:
        allow(who.roles, MANAGE)
        with transaction(office.database) as session:
            _unchanged(session, who.tenant_id, ticket_id, if_match)
            service.withdraw(session, who, ticket_id, body)
        return _shown(who.tenant_id, ticket_id, response)

    @app.post("/v1/refits", status_code=202)
    def order(who: Who) -> dict[str, Any]:
        allow(who.roles, OPERATE)
        with transaction(office.database) as session:
            return {"id": service.order_refit(session, who, office.model_id), "status": "ordered"}

    @app.get("/v1/refits")
    def refits(who: Who, limit: Annotated[int, Query(ge=1, le=200)] = 20) -> dict[str, Any]:
        allow(who.roles, READ)
        with transaction(office.database) as session:
            return {"items": [views.run(one) for one in rows.recent_runs(session, office.model_id, limit)]}

    @app.get("/v1/erasers")
    def erasers(who: Who) -> dict[str, Any]:
        allow(who.roles, READ)
        with transaction(office.database) as session:
            found = session.scalars(
                select(EraserVersion)
                .where(EraserVersion.model_id == office.model_id)
                .order_by(EraserVersion.number.desc())
                .limit(100)
            )
            return {"items": [views.version(session, one) for one in found]}

    @app.get("/v1/erasers/{number}")
    def eraser(number: int, who: Who) -> dict[str, Any]:
        allow(who.roles, READ)
        with transaction(office.database) as session:
            one = rows.get_version(session, office.model_id, number)
            return views.version(session, one) | {"manifest": one.manifest, "envelope": one.envelope}

    @app.get("/v1/erasers/{number}/audit")
    def audit(number: int, who: Who) -> dict[str, Any]:
        allow(who.roles, AUDIT)
        with transaction(office.database) as session:
            found = rows.audits_of(session, rows.get_version(session, office.model_id, number).id)
            if not found:
                raise NotFound(f"Version {number} has not been audited yet.")
            run = found[0]
            return {
                "number": number,
                "status": run.status,
                "verdict": run.verdict,
                "reasons": run.reasons or [],
                "error": run.error,
                "report": run.report,
            }

    def _promoted(number: int, who: ApiKey, kind: str) -> dict[str, Any]:
        allow(who.roles, PROMOTE)
        with transaction(office.database) as session:
            version = rows.get_version(session, office.model_id, number)
            service.promote(session, who, version, kind)
            return views.version(session, version)

    @app.post("/v1/erasers/{number}/promote")
    def promote(number: int, who: Who) -> dict[str, Any]:
        return _promoted(number, who, "manual")

    @app.post("/v1/erasers/{number}/rollback")
    def rollback(number: int, who: Who) -> dict[str, Any]:
        return _promoted(number, who, "rollback")

    @app.get("/v1/status")
    def status(who: Who) -> dict[str, Any]:
        allow(who.roles, READ)
        with transaction(office.database) as session:
            counted = session.execute(
                select(Ticket.state, func.count()).where(Ticket.tenant_id == who.tenant_id).group_by(Ticket.state)
            )
            stale = restore.complaint(session, office)
            return views.status(session, office.model_id, dict(counted.all())) | {"stale": stale}

    app.include_router(endpoints_retain.router(office, person))

    return app
