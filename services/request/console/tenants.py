"""/console/tenants: the organisations that use the installation, for administrators and auditors of the operating one.

What is shown of another tenant is how much it has, never what. The halves of keys are shown once, each to one of two.
"""

import json
import uuid
from typing import Any, Final

from fastapi import Response
from starlette.responses import JSONResponse

from services.request.console.routing import console_router
from services.request.console.visit import FormDep, Visit, VisitDep
from services.request.tenants import endpoints as tenants
from services.request.tenants.schemas import TenantCreate

router = console_router()
PATH: Final = "/console/tenants"
REQUEST: Final = "/console/tenant-requests/{request_id}"


@router.get(PATH)
def show_tenants(visit: VisitDep) -> Response:
    """The tenants, what waits for a second administrator, and what was decided before."""
    return _page(visit)


@router.post(PATH)
def ask_tenant(form: FormDep) -> Response:
    """Ask to add a tenant. The page that follows is the only one with the first half of each key."""
    values = {
        "name": form.text("name"),
        "model": form.text("model") or None,
        "administrators": form.lines("administrators"),
    }
    answer = form.visit.permit(tenants.ask_tenant)(form.body(TenantCreate, values), form.mutation())
    return _page(form.visit, _body(answer))


@router.post(f"{REQUEST}/confirm")
def confirm_tenant(request_id: uuid.UUID, form: FormDep) -> Response:
    """Add the tenant that another administrator asked for. The page that follows alone has the other halves."""
    answer = form.visit.permit(tenants.confirm_tenant)(request_id, form.mutation())
    return _page(form.visit, _body(answer))


@router.post(f"{REQUEST}/end")
def end_request(request_id: uuid.UUID, form: FormDep) -> Response:
    """Refuse a tenant that was asked for, or take the request back."""
    form.visit.permit(tenants.end_tenant_request)(request_id, form.mutation())
    return form.done(PATH, "end")


def _page(visit: Visit, new: dict[str, Any] | None = None) -> Response:
    requests = visit.permit(tenants.list_tenant_requests)(visit.context, visit.principal).items
    return visit.page(
        "tenants.html",
        tenants=visit.permit(tenants.list_tenants)(visit.context, visit.principal).items,
        waiting=[request for request in requests if request.state == "asked"],
        past=[request for request in requests if request.state != "asked"],
        new=new,
        may_ask=visit.may(tenants.ask_tenant),
        may_confirm=visit.may(tenants.confirm_tenant),
        may_end=visit.may(tenants.end_tenant_request),
    )


def _body(answer: JSONResponse) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(bytes(answer.body))
    return body
