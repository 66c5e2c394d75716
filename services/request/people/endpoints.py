"""/v1/people and /v1/grants: who works with Lacuna, and what two administrators give them."""

import uuid
from collections.abc import Callable
from typing import Final

from fastapi import APIRouter, Request, Response
from sqlalchemy import select
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.idempotency import Mutation, MutationDep, MutationResult
from services.request.api.preconditions import etag
from services.request.people import service
from services.request.people.responses import (
    GrantList,
    GrantResponse,
    PersonList,
    PersonResponse,
    grant_responses,
    person_responses,
)
from services.request.people.schemas import PersonCreate, RolesUpdate, SubjectCreate
from shared.db.models.tenancy import AccessGrant, Person
from shared.db.repositories import people
from shared.db.session import transaction

router = APIRouter(tags=["people"])
SECRET: Final = frozenset({"key_part"})
MOST_LISTED: Final = 1000


@router.post("/v1/people", status_code=202, response_model=GrantResponse)
def ask_person(body: PersonCreate, mutation: MutationDep) -> JSONResponse:
    """Ask to add a person. Nothing happens until another administrator confirms the grant."""
    return _ask(
        mutation,
        lambda session: service.ask_person(session, mutation.principal, body.name, body.roles, body.subject),
    )


@router.get("/v1/people")
def list_people(context: ContextDep, principal: PrincipalDep) -> PersonList:
    """All people of the tenant, by name, the disabled ones too."""
    query = select(Person).where(Person.tenant_id == principal.tenant_id).order_by(Person.name).limit(MOST_LISTED)
    with transaction(context.database) as session:
        return PersonList(items=person_responses(session, session.scalars(query).all()))


@router.get("/v1/people/{person_id}")
def show_person(
    person_id: uuid.UUID, context: ContextDep, principal: PrincipalDep, response: Response
) -> PersonResponse:
    """One person."""
    with transaction(context.database) as session:
        person = people.get_person(session, principal.tenant_id, person_id)
        response.headers["ETag"] = _etag(person)
        return person_responses(session, [person])[0]


@router.post("/v1/people/{person_id}/roles", status_code=202, response_model=GrantResponse)
def ask_roles(person_id: uuid.UUID, body: RolesUpdate, mutation: MutationDep) -> JSONResponse:
    """Ask to give a person these roles in place of the present ones; another administrator confirms the grant."""
    return _ask(
        mutation,
        lambda session: service.ask_roles(
            session, mutation.principal, _person(session, mutation, person_id), body.roles
        ),
    )


@router.post("/v1/people/{person_id}/subjects", status_code=202, response_model=GrantResponse)
def ask_subject(person_id: uuid.UUID, body: SubjectCreate, mutation: MutationDep) -> JSONResponse:
    """Ask to let a person in with an account at the OpenID provider; another administrator confirms the grant."""
    return _ask(
        mutation,
        lambda session: service.ask_subject(session, mutation.principal, _person(session, mutation, person_id), body),
    )


@router.post("/v1/people/{person_id}/disable", response_model=PersonResponse)
def disable_person(person_id: uuid.UUID, mutation: MutationDep, request: Request) -> JSONResponse:
    """Refuse all keys and tokens of a person. This process does so from the next request on, others within seconds."""

    def disable(session: Session, person: Person) -> PersonResponse:
        service.disable(session, mutation.principal, person)
        session.flush()
        return person_responses(session, [person])[0]

    answer = mutation.change_once(lambda session: _person(session, mutation, person_id, lock=True), _etag, disable)
    request.app.state.authenticator.forget()
    return answer


@router.get("/v1/grants")
def list_grants(context: ContextDep, principal: PrincipalDep) -> GrantList:
    """What was asked for, the newest first: confirmed, ended, lapsed, or still to be confirmed."""
    query = select(AccessGrant).where(AccessGrant.tenant_id == principal.tenant_id)
    with transaction(context.database) as session:
        grants = session.scalars(query.order_by(AccessGrant.asked_at.desc()).limit(MOST_LISTED)).all()
        return GrantList(items=grant_responses(session, grants))


@router.get("/v1/grants/{grant_id}")
def show_grant(grant_id: uuid.UUID, context: ContextDep, principal: PrincipalDep) -> GrantResponse:
    """One grant."""
    with transaction(context.database) as session:
        return grant_responses(session, [service.get_grant(session, principal.tenant_id, grant_id)])[0]


@router.post("/v1/grants/{grant_id}/confirm", response_model=GrantResponse)
def confirm_grant(grant_id: uuid.UUID, mutation: MutationDep, request: Request) -> JSONResponse:
    """Confirm what another administrator asked for: it takes effect. The answer has the second part of a key."""

    def work(session: Session) -> MutationResult:
        grant = service.get_grant(session, mutation.principal.tenant_id, grant_id, lock=True)
        part = service.confirm(session, mutation.principal, grant)
        session.flush()
        return MutationResult(grant_responses(session, [grant])[0].model_copy(update={"key_part": part}))

    answer = mutation.run_once(work, hide=SECRET)
    request.app.state.authenticator.forget()
    return answer


@router.post("/v1/grants/{grant_id}/end", response_model=GrantResponse)
def end_grant(grant_id: uuid.UUID, mutation: MutationDep) -> JSONResponse:
    """Refuse a grant, or take it back."""

    def work(session: Session) -> MutationResult:
        grant = service.get_grant(session, mutation.principal.tenant_id, grant_id, lock=True)
        service.end(session, mutation.principal, grant)
        session.flush()
        return MutationResult(grant_responses(session, [grant])[0])

    return mutation.run_once(work)


def _ask(mutation: Mutation, ask: Callable[[Session], AccessGrant]) -> JSONResponse:
    def work(session: Session) -> MutationResult:
        grant = ask(session)
        return MutationResult(grant_responses(session, [grant])[0], 202, location=f"/v1/grants/{grant.id}")

    return mutation.run_once(work)


def _person(session: Session, mutation: Mutation, person_id: uuid.UUID, *, lock: bool = False) -> Person:
    return people.get_person(session, mutation.principal.tenant_id, person_id, lock=lock)


def _etag(person: Person) -> str:
    return etag(" ".join([*sorted(person.roles), "disabled" if person.disabled_at else "enabled"]))
