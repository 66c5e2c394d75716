"""Mutation: what an endpoint needs to change something, in one transaction and with one stored answer.

An endpoint that changes something takes `MutationDep`. It names the caller, as `PrincipalDep` does, and carries the
headers Idempotency-Key and If-Match. The endpoint then calls `run_once`, or `change_once` for a change of something
that has an ETag. Both are the only way of a mutation to the database.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, TypeVar, cast

from fastapi import Depends, Header, Request
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from sqlalchemy import BigInteger, Select, Table, and_, bindparam, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session
from sqlalchemy.sql.dml import ReturningInsert

from services.request import sealing
from services.request.api.dependencies import authorized_principal, context_of
from services.request.api.preconditions import IfMatch, require_match
from services.request.api.responses import ResponseModel
from services.request.auth.principals import Principal
from services.request.context import AppContext
from shared.core.clock import utc_now
from shared.db.models.tenancy import IdempotencyKey
from shared.errors import InFlight, KeyReused

MOST_KEY: Final = 200  # characters of an Idempotency-Key
STORED_ANSWERS: Final = cast(Table, IdempotencyKey.__table__)  # the bare table: half the time of the mapped class
IN_FLIGHT: Final = "The first request with this Idempotency-Key is still being carried out."

Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=MOST_KEY, description="Sent again, it gets the first answer again."),
]
Resource = TypeVar("Resource")


@dataclass(frozen=True)
class MutationResult:
    """An answer before it becomes JSON."""

    body: ResponseModel
    status: int = 200
    etag: str | None = None
    location: str | None = None


@dataclass(frozen=True)
class Mutation:
    """One request that changes something: who sent it, its idempotency key, and the digest of the whole request."""

    context: AppContext
    principal: Principal
    key: str | None
    if_match: str | None
    digest: str

    def run_once(self, work: Callable[[Session], MutationResult], hide: frozenset[str] = frozenset()) -> JSONResponse:
        """Do `work` in one transaction and answer with its result.

        With an Idempotency-Key the answer is stored in the same transaction, and the same request gets it again: a
        crash leaves both or neither. Errors are not stored, because they changed nothing. Members of the body that
        `hide` names are secrets: they are null in the stored answer. What was sealed for a change that is refused is
        abandoned (sealing.py).

        Raises InFlight while the first request with this key is at work, KeyReused if the key belongs to another
        request.
        """
        with sealing.change(self.context) as session:
            stored = self._stored_answer(session)
            if stored is not None:
                return stored
            result = work(session)
            session.flush()
            optional = {"ETag": result.etag, "Location": result.location}
            headers = {name: value for name, value in optional.items() if value}
            body = encode_body(result.body)
            if self.key is not None:
                self._store(session, result.status, headers, {n: None if n in hide else v for n, v in body.items()})
        return JSONResponse(body, result.status, headers)

    def change_once(
        self,
        find: Callable[[Session], Resource],
        etag: Callable[[Resource], str],
        change: Callable[[Session, Resource], ResponseModel],
        hide: frozenset[str] = frozenset(),
    ) -> JSONResponse:
        """Change one thing that has an ETag: `find` and lock it, check If-Match, `change` it, answer with its new ETag.

        Raises what `run_once` and `require_match` raise.
        """

        def work(session: Session) -> MutationResult:
            resource = find(session)
            self.require_match(etag(resource))
            body = change(session, resource)
            session.flush()  # where the database keeps the version, the new ETag is known only now
            return MutationResult(body, etag=etag(resource))

        return self.run_once(work, hide)

    def require_match(self, etag: str) -> None:
        """Raise PreconditionRequired without an If-Match, PreconditionFailed where it does not name `etag`."""
        require_match(self.if_match, etag)

    def _stored_answer(self, session: Session) -> JSONResponse | None:
        """The answer to the first request with this key; None if this is the first, which then holds the key's lock."""
        if self.key is None:
            return None
        place = (self.principal.tenant_id, self.principal.owner, self.key)
        lock = int.from_bytes(hashlib.sha256("/".join(place).encode()).digest()[:8], signed=True)
        values = {"lock": lock} | dict(zip(("of_tenant", "of_owner", "of_key"), place, strict=True))
        row = session.execute(_look_up(), values).one()
        if not row.locked:
            raise InFlight(IN_FLIGHT)
        if row.request_sha256 is None:
            return None
        if row.request_sha256 != self.digest:
            raise KeyReused("This Idempotency-Key was used for another request.")
        return JSONResponse(row.body, row.status, row.headers | {"Idempotent-Replay": "true"})

    def _store(self, session: Session, status: int, headers: dict[str, str], body: dict[str, Any]) -> None:
        row = {
            "tenant_id": self.principal.tenant_id,
            "owner": self.principal.owner,
            "key": self.key,
            "request_sha256": self.digest,
            "status": status,
            "headers": headers,
            "body": body,
            "created_at": utc_now(),
        }
        if session.scalar(_keep(), row) is None:
            raise InFlight(IN_FLIGHT)  # another request stored its answer after we looked: this one is undone


@cache
def _look_up() -> Select[Any]:
    """Whether the lock of a key was got, and the stored answer. Built once: that takes longer than to carry it out."""
    attempt = select(func.pg_try_advisory_xact_lock(bindparam("lock", type_=BigInteger)).label("locked")).subquery()
    columns = STORED_ANSWERS.c
    same_key = and_(
        columns.tenant_id == bindparam("of_tenant"),
        columns.owner == bindparam("of_owner"),
        columns.key == bindparam("of_key"),
    )
    return select(attempt.c.locked, columns.request_sha256, columns.status, columns.headers, columns.body).select_from(
        attempt.outerjoin(STORED_ANSWERS, same_key)
    )


@cache
def _keep() -> ReturningInsert[Any]:
    """Stores an answer; returns nothing where there is one."""
    return insert(STORED_ANSWERS).on_conflict_do_nothing().returning(literal(1))


def encode_body(body: ResponseModel) -> dict[str, Any]:
    """The body as JSON. Dumped to Python objects first: times keep the form `+00:00` in answers to changes."""
    encoded: dict[str, Any] = json.loads(json.dumps(body.model_dump(), default=jsonable_encoder))
    return encoded


async def _mutation(request: Request, idempotency_key: Key = None, if_match: IfMatch = None) -> Mutation:
    """All in one dependency: each further one costs the framework as much time as a query."""
    principal = await authorized_principal(request)
    digest = _digest(request, await request.body())
    return Mutation(context_of(request), principal, idempotency_key, if_match, digest)


def _digest(request: Request, body: bytes) -> str:
    """SHA-256 of method, path and body: two requests are the same if it is equal."""
    head = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return hashlib.sha256(head + body).hexdigest()


MutationDep = Annotated[Mutation, Depends(_mutation)]
