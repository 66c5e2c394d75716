"""What every endpoint is given: the office (`Desk`), whoever asks (`Who`), and acting once (`Act`).

A router module `endpoints_<subject>.py` holds `router = APIRouter(tags=[...])` and endpoint functions that take these
as arguments; `app.py` includes it, `rights.py` names who may call each function. `Who` (and `Act`, which has `.who`)
checks that table: an endpoint never checks roles itself.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, cast

from fastapi import Depends, Header, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.encoders import jsonable_encoder
from fastapi.responses import JSONResponse
from sqlalchemy import Table, and_, func, literal, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from services.request.api.dependencies import _person
from services.request.auth.principals import Principal
from services.request.context import AppContext
from shared.core.clock import utc_now
from shared.db.models.tenancy import IdempotencyKey
from shared.db.session import transaction
from shared.errors import InFlight, KeyReused, PreconditionFailed, PreconditionRequired

MOST_KEY: Final = 200  # characters of an Idempotency-Key
ANSWERS: Final = cast(Table, IdempotencyKey.__table__)  # without the mapper: half the time
IN_FLIGHT: Final = "The first request with this Idempotency-Key is still being carried out."

IfMatch = Annotated[str | None, Header(description="The ETag that the change is based on.")]
Key = Annotated[
    str | None,
    Header(alias="Idempotency-Key", max_length=MOST_KEY, description="Sent again, it gets the first answer again."),
]


@dataclass(frozen=True)
class MutationResult:
    """What is sent back, before it is JSON."""

    body: Any
    status: int = 200
    etag: str | None = None
    location: str | None = None


@dataclass(frozen=True)
class Mutation:
    """One POST that creates or acts. `once` is its only way to the database."""

    context: AppContext
    principal: Principal
    key: str | None
    if_match: str | None
    digest: str

    def run_once(self, work: Callable[[Session], MutationResult], hide: frozenset[str] = frozenset()) -> JSONResponse:
        """Do `work` in one transaction and answer. With an Idempotency-Key the answer is stored in the same
        transaction and given again: a crash leaves both or neither. Errors are not stored: they changed nothing.

        Members named in `hide` are secrets: they are null in the stored answer. Raises InFlight, KeyReused.
        """
        with transaction(self.context.database) as session:
            known = self._known(session)
            if known is not None:
                return known
            answer = work(session)
            session.flush()
            given = {"ETag": answer.etag, "Location": answer.location}
            headers = {name: value for name, value in given.items() if value}
            body = jsonable_encoder(answer.body)
            if self.key is not None:
                stored = {name: None if name in hide else value for name, value in body.items()}
                row = insert(ANSWERS).values(
                    tenant_id=self.principal.tenant_id,
                    owner=self.principal.owner,
                    key=self.key,
                    request_sha256=self.digest,
                    status=answer.status,
                    headers=headers,
                    body=stored,
                    created_at=utc_now(),
                )
                if session.scalar(row.on_conflict_do_nothing().returning(literal(1))) is None:
                    raise InFlight(IN_FLIGHT)  # it was committed between our look and our lock: all of ours is undone
        return JSONResponse(body, answer.status, headers)

    def _known(self, session: Session) -> JSONResponse | None:
        """The first answer, if there is one; else the key is ours until the transaction ends."""
        if self.key is None:
            return None
        place = (self.principal.tenant_id, self.principal.owner, self.key)
        lock = int.from_bytes(hashlib.sha256("/".join(place).encode()).digest()[:8], signed=True)
        mine = select(func.pg_try_advisory_xact_lock(lock).label("mine")).subquery()
        row = ANSWERS.c
        at_place = and_(row.tenant_id == place[0], row.owner == place[1], row.key == place[2])
        found = session.execute(
            select(mine.c.mine, row.request_sha256, row.status, row.headers, row.body).select_from(
                mine.outerjoin(ANSWERS, at_place)
            )
        ).one()
        if not found.mine:
            raise InFlight(IN_FLIGHT)
        if found.request_sha256 is None:
            return None
        if found.request_sha256 != self.digest:
            raise KeyReused("This Idempotency-Key was used for another request.")
        return JSONResponse(found.body, found.status, found.headers | {"Idempotent-Replay": "true"})

    def require_match(self, etag: str) -> None:
        """Raise PreconditionRequired without an If-Match, PreconditionFailed where it is not `etag`."""
        if self.if_match is None:
            raise PreconditionRequired("Send If-Match with the ETag of what you looked at.")
        if etag not in (part.strip() for part in self.if_match.split(",")):
            raise PreconditionFailed("It was changed in the meantime: look at it again.")


async def _acting(request: Request, idempotency_key: Key = None, if_match: IfMatch = None) -> Mutation:
    """All in one: each dependency of its own costs the framework as much as a query."""
    principal = await run_in_threadpool(_person, request)
    digest = _digest(request, await request.body())
    return Mutation(request.app.state.context, principal, idempotency_key, if_match, digest)


def _digest(request: Request, body: bytes) -> str:
    """Of method, path and body: what makes two requests the same one."""
    head = f"{request.method} {request.url.path}?{request.url.query}\n".encode()
    return hashlib.sha256(head + body).hexdigest()


MutationDep = Annotated[Mutation, Depends(_acting)]
