"""/console/people and /console/grants: who works with Lacuna, and what two administrators give them.

What is asked for takes effect when another administrator confirms it. The halves of a key are shown once, each to one
of the two.
"""

import json
import uuid
from typing import Any, Final

from fastapi import Response
from starlette.responses import JSONResponse

from services.request.api_keys import endpoints as api_keys
from services.request.api_keys.responses import ApiKeyResponse
from services.request.api_keys.schemas import ApiKeyCreate
from services.request.console.administration import SCOPES, read_end
from services.request.console.routing import console_router
from services.request.console.visit import Form, FormDep, Visit, VisitDep
from services.request.people import endpoints as people
from services.request.people.schemas import PersonCreate, RolesUpdate, SubjectCreate
from shared.core.clock import utc_now
from shared.domain.accounts import ROLES

router = console_router()
PEOPLE: Final = "/console/people"
GRANTS: Final = "/console/grants"


@router.get(PEOPLE)
def show_people(visit: VisitDep) -> Response:
    """The people, what waits for a second administrator, and what was given before."""
    return _people_page(visit)


@router.post(PEOPLE)
def ask_person(form: FormDep) -> Response:
    """Ask to add a person."""
    subject = _subject(form) if form.text("issuer") or form.text("subject") else None
    values = {"name": form.text("name"), "roles": form.texts("roles"), "subject": subject}
    form.visit.permit(people.ask_person)(form.body(PersonCreate, values), form.mutation())
    return form.done(PEOPLE, "grant")


@router.get(f"{PEOPLE}/{{person_id}}")
def show_person(person_id: uuid.UUID, visit: VisitDep) -> Response:
    """One person, with keys, and what they may be given or lose."""
    return _person_page(visit, person_id)


@router.post(f"{PEOPLE}/{{person_id}}/roles")
def ask_roles(person_id: uuid.UUID, form: FormDep) -> Response:
    """Ask to give these roles in place of the present ones."""
    body = form.body(RolesUpdate, {"roles": form.texts("roles")})
    form.visit.permit(people.ask_roles)(person_id, body, form.mutation())
    return form.done(PEOPLE, "grant")


@router.post(f"{PEOPLE}/{{person_id}}/subjects")
def ask_subject(person_id: uuid.UUID, form: FormDep) -> Response:
    """Ask to let a person in with an account at the OpenID provider."""
    form.visit.permit(people.ask_subject)(person_id, form.body(SubjectCreate, _subject(form)), form.mutation())
    return form.done(PEOPLE, "grant")


@router.post(f"{PEOPLE}/{{person_id}}/keys")
def ask_key(person_id: uuid.UUID, form: FormDep) -> Response:
    """Ask for a key for this person. The page that follows is the only one that has its first half."""
    visit = form.visit
    owner = visit.permit(people.show_person)(person_id, visit.context, visit.principal, Response()).name
    values = {
        "owner": owner,
        "roles": form.texts("roles"),
        "scopes": form.texts("scopes"),
        "label": form.text("label"),
        "expires_at": read_end(form),
    }
    answer = visit.permit(api_keys.create_key)(form.body(ApiKeyCreate, values), form.mutation())
    return _person_page(visit, person_id, _body(answer))


@router.post(f"{PEOPLE}/{{person_id}}/disable")
def disable_person(person_id: uuid.UUID, form: FormDep) -> Response:
    """Refuse all keys and tokens of a person, and end their sessions."""
    form.visit.permit(people.disable_person)(person_id, form.mutation(), form.visit.request)
    return form.done(PEOPLE, "disable-person")


@router.post(f"{GRANTS}/{{grant_id}}/confirm")
def confirm_grant(grant_id: uuid.UUID, form: FormDep) -> Response:
    """Confirm what another administrator asked for. The page that follows is the only one with a key's second half."""
    answer = form.visit.permit(people.confirm_grant)(grant_id, form.mutation(), form.visit.request)
    return _people_page(form.visit, _body(answer))


@router.post(f"{GRANTS}/{{grant_id}}/end")
def end_grant(grant_id: uuid.UUID, form: FormDep) -> Response:
    """Refuse a grant, or take it back."""
    form.visit.permit(people.end_grant)(grant_id, form.mutation())
    return form.done(PEOPLE, "end")


def _people_page(visit: Visit, confirmed: dict[str, Any] | None = None) -> Response:
    listed = visit.permit(people.list_people)(visit.context, visit.principal).items
    grants = visit.permit(people.list_grants)(visit.context, visit.principal).items
    return visit.page(
        "people.html",
        people=listed,
        keys=_valid_keys(visit),
        waiting=[grant for grant in grants if grant.state == "asked"],
        past=[grant for grant in grants if grant.state != "asked"],
        confirmed=confirmed,
        roles=ROLES,
        may_ask=visit.may(people.ask_person),
        may_confirm=visit.may(people.confirm_grant),
        may_end=visit.may(people.end_grant),
    )


def _person_page(visit: Visit, person_id: uuid.UUID, new: dict[str, Any] | None = None) -> Response:
    seen = Response()
    person = visit.permit(people.show_person)(person_id, visit.context, visit.principal, seen)
    return visit.page(
        "person.html",
        person=person,
        etag=seen.headers["etag"],
        keys=_valid_keys(visit).get(person.name, []),
        new=new,
        roles=ROLES,
        scopes=SCOPES,
        may_read_keys=visit.may(api_keys.list_keys),
        may_ask_roles=visit.may(people.ask_roles),
        may_ask_subject=visit.may(people.ask_subject),
        may_ask_key=visit.may(api_keys.create_key),
        may_disable=visit.may(people.disable_person),
    )


def _valid_keys(visit: Visit) -> dict[str, list[ApiKeyResponse]]:
    """The keys that are accepted now, by their owner in lower case; none where the reader may not see keys."""
    if not visit.may(api_keys.list_keys):
        return {}
    now, found = utc_now(), dict[str, list[ApiKeyResponse]]()
    for key in api_keys.list_keys(visit.context, visit.principal).items:
        if key.revoked_at is None and (key.expires_at is None or key.expires_at > now):
            found.setdefault(key.owner.lower(), []).append(key)
    return found


def _subject(form: Form) -> dict[str, str]:
    return {"issuer": form.text("issuer"), "subject": form.text("subject")}


def _body(answer: JSONResponse) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(bytes(answer.body))
    return body
