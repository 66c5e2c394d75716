"""What is sealed for a change and can be shredded: where the change is refused after all, it is destroyed again.

The object is deleted at once. Its shredding key is left to the control loop, which alone may destroy one, and does so
only where no row needs it.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from services.request.context import AppContext
from shared.crypto.keyring import Sealed
from shared.db.session import transaction
from shared.errors import KeysUnavailable, LacunaError, StoreUnavailable, Unavailable

logger = logging.getLogger(__name__)
_OF_CHANGE: Final = "sealed"  # in Session.info: what was sealed for the change


@dataclass(frozen=True)
class SealedMaterial:
    """What was sealed of a tenant. `key`: of the object in the store, or what stands for it where a row holds it."""

    tenant: str
    key: str
    wrapped_key: bytes
    stored: bool = True


@contextmanager
def change(context: AppContext) -> Iterator[Session]:
    """A transaction. What `seal` sealed in it is abandoned where it is refused."""
    material: list[SealedMaterial] = []
    try:
        with transaction(context.database) as session:
            session.info[_OF_CHANGE] = material
            yield session
    except LacunaError as exc:
        if is_refusal(exc):
            abandon(context, material)
        raise


def seal(
    session: Session, context: AppContext, tenant: str, plaintext: bytes, key: str, *, store: bool = False
) -> Sealed:
    """Seal `plaintext` for a row of this `change`, bound to `key`; with `store`, put it there into the object store."""
    sealed = context.keys.seal(plaintext, key, shreddable=True)
    session.info[_OF_CHANGE].append(SealedMaterial(tenant, key, sealed.wrapped_key, store))
    if store:
        context.store.put(key, sealed.blob)
    return sealed


def is_refusal(error: BaseException | None) -> bool:
    """Whether what ended a transaction says that nothing of it was committed: not where the database is away."""
    if isinstance(error, Unavailable):
        return isinstance(error, StoreUnavailable | KeysUnavailable)  # these come from inside, before the commit
    return isinstance(error, LacunaError)


def abandon(context: AppContext, material: Sequence[SealedMaterial]) -> None:
    """Note that the keys are not needed, and delete the objects."""
    try:
        if material:
            with transaction(context.database) as session:
                for sealed in material:
                    session.execute(select(func.abandon_key(sealed.tenant, sealed.key, sealed.wrapped_key)))
        for sealed in material:
            if sealed.stored:
                context.store.delete(sealed.key)
    except LacunaError as exc:  # what was refused is told, not that a backend failed after it
        logger.warning("%d sealed objects of a change that was refused stay: %s", len(material), exc.detail)
