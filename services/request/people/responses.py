"""Response models: a person, and a grant that two administrators make."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, cast
from uuid import UUID

from pydantic import Field
from sqlalchemy import select
from sqlalchemy.orm import Session

from services.request.api.responses import AccountName, ItemList, ResponseModel
from shared.core.clock import utc_now
from shared.db.models.tenancy import AccessGrant, Person, PersonSubject
from shared.domain.accounts import Role
from shared.domain.four_eyes import REQUEST_STANDS_FOR

Kind = Literal["person", "roles", "subject", "key"]


class SubjectResponse(ResponseModel):
    """An account at an OpenID provider. The issuer is empty until the account is seen again after an upgrade."""

    issuer: str = Field(examples=["https://login.example.org"])
    subject: str = Field(examples=["248289761001"])


class PersonResponse(ResponseModel):
    """Somebody who works with Lacuna, a human or a program."""

    id: UUID
    name: AccountName
    roles: list[Role] = Field(description="What the person's keys and tokens may do at most.", examples=[["officer"]])
    subjects: list[SubjectResponse]
    created_at: datetime
    disabled_at: datetime | None


class PersonList(ItemList[PersonResponse]):
    """People, by name."""


class GrantResponse(ResponseModel):
    """A person, roles, a subject or a key that one administrator asks to give, and another one confirms."""

    id: UUID
    kind: Kind
    state: Literal["asked", "confirmed", "ended", "lapsed"]
    person_id: UUID
    name: AccountName = Field(description="To whom.")
    roles: list[Role] = Field(examples=[["officer"]])
    scopes: list[str] = Field(examples=[["tickets:write"]])
    label: str = Field(examples=["the form on our web site"])
    expires_at: datetime | None = Field(description="When the key expires.")
    subject: SubjectResponse | None
    asked_by: AccountName = Field(examples=["rosa"])
    asked_at: datetime
    confirmed_by: AccountName | None = Field(examples=["viktor"])
    confirmed_at: datetime | None
    ended_by: AccountName | None
    ended_at: datetime | None
    key_part: str | None = Field(
        default=None,
        description="The first half of a key where it is asked for, the second where it is confirmed, to be given to "
        "the person, who joins both with a full stop. A replay of the request has null here.",
        examples=["lk_..."],
    )


class GrantList(ItemList[GrantResponse]):
    """Grants, the newest first."""


def person_responses(session: Session, people: Sequence[Person]) -> list[PersonResponse]:
    """People with their subjects."""
    query = select(PersonSubject).where(PersonSubject.person_id.in_([person.id for person in people]))
    subjects = session.scalars(query.order_by(PersonSubject.issuer, PersonSubject.subject)).all()
    return [
        PersonResponse(
            id=person.id,
            name=person.name,
            roles=cast(list[Role], person.roles),
            subjects=[SubjectResponse.model_validate(each) for each in subjects if each.person_id == person.id],
            created_at=person.created_at,
            disabled_at=person.disabled_at,
        )
        for person in people
    ]


def grant_responses(session: Session, grants: Sequence[AccessGrant]) -> list[GrantResponse]:
    """Grants, with the names of those who asked, confirmed and ended them."""
    ids = {person for grant in grants for person in (grant.asked_by, grant.confirmed_by, grant.ended_by)}
    rows = session.execute(select(Person.id, Person.name).where(Person.id.in_(ids - {None}))).all()
    names: dict[UUID | None, str] = {row.id: row.name for row in rows}
    return [
        GrantResponse(
            id=grant.id,
            kind=cast(Kind, grant.kind),
            state=_state(grant),
            person_id=grant.person_id,
            name=grant.name,
            roles=cast(list[Role], grant.roles),
            scopes=grant.scopes,
            label=grant.label,
            expires_at=grant.expires_at,
            subject=SubjectResponse(issuer=grant.issuer, subject=grant.subject or "") if grant.issuer else None,
            asked_by=names[grant.asked_by],
            asked_at=grant.asked_at,
            confirmed_by=names.get(grant.confirmed_by),
            confirmed_at=grant.confirmed_at,
            ended_by=names.get(grant.ended_by),
            ended_at=grant.ended_at,
        )
        for grant in grants
    ]


def _state(grant: AccessGrant) -> Literal["asked", "confirmed", "ended", "lapsed"]:
    if grant.confirmed_at is not None:
        return "confirmed"
    if grant.ended_at is not None:
        return "ended"
    return "lapsed" if utc_now() - grant.asked_at > REQUEST_STANDS_FOR else "asked"
