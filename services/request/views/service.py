"""Save and end views of the list of tickets. A view belongs to one person, and nobody else sees it. Knows no HTTP."""

import uuid
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.request.auth.principals import Principal
from services.request.views.schemas import ViewCreate
from shared.core.clock import utc_now
from shared.db.models.tenancy import SavedView
from shared.errors import Conflict, Forbidden, NotFound

MOST_VIEWS: Final = 50  # of a person


def list_views(session: Session, principal: Principal) -> list[SavedView]:
    """The views of the person, by name."""
    query = select(SavedView).where(SavedView.person_id == principal.person_id, SavedView.ended_at.is_(None))
    return list(session.scalars(query.order_by(func.lower(SavedView.name), SavedView.id)))


def save(session: Session, principal: Principal, body: ViewCreate) -> SavedView:
    """Save a view; one of the same name is replaced. Raises Conflict where the person has MOST_VIEWS."""
    if principal.person_id is None:
        raise Forbidden("Only a person saves a view.")
    session.execute(select(func.pg_advisory_xact_lock(func.hashtext(f"saved_view {principal.person_id}"))))
    own = list_views(session, principal)
    filters = body.filters.model_dump(mode="json", exclude_none=True)
    for view in own:
        if view.name == body.name:
            view.filters = filters
            return view
    if len(own) >= MOST_VIEWS:
        raise Conflict(f"You have {MOST_VIEWS} views: delete one first.")
    view = SavedView(
        id=uuid.uuid4(),
        tenant_id=principal.tenant_id,
        person_id=principal.person_id,
        name=body.name,
        filters=filters,
        created_at=utc_now(),
    )
    session.add(view)
    return view


def get(session: Session, principal: Principal, view_id: uuid.UUID) -> SavedView:
    """A view of the person that has not ended. Raises NotFound, also for a view of somebody else."""
    view = session.get(SavedView, view_id)
    if view is None or view.person_id != principal.person_id or view.ended_at is not None:
        raise NotFound("There is no such view.")
    return view


def end(session: Session, principal: Principal, view_id: uuid.UUID) -> SavedView:
    """End a view; its name and its filters go with it. Raises NotFound as `get` does."""
    view = get(session, principal, view_id)
    view.name, view.filters, view.ended_at = "", {}, utc_now()
    return view
