"""From a ticket's sealed objects back to the person it speaks of. The only way in which a worker sees personal data.

The raw payload while it exists; after its destruction the audit kit: names, facts, and few small pictures, enough to
ask again whether the person is forgotten. Knows nothing of activations; the caller drops what it gets as soon as the
probes are made.
"""

import io
from collections.abc import Callable
from typing import Final, Literal, Protocol

from shared.artifacts.payloads import load_subject, pack_subject
from shared.crypto.keyring import KeyRing
from shared.domain.subjects import Subject
from shared.errors import NeedsResubmission, NotFound
from shared.storage.base import ObjectStore

KIT_PHOTOS: Final = 3
KIT_SIDE: Final = 336  # pixels: what LLaVA-1.5's vision tower is shown; a kit need not be sharper than a served model

Source = Literal["payload", "kit", "none"]


class SealedPayload(Protocol):
    """What a ticket's row says of its objects."""

    @property
    def id(self) -> str: ...
    @property
    def payload_key(self) -> str: ...
    @property
    def payload_wrapped_key(self) -> bytes | None: ...
    @property
    def kit_key(self) -> str | None: ...
    @property
    def kit_wrapped_key(self) -> bytes | None: ...


def material_source(ticket: SealedPayload) -> Source:
    """Which object the person of `ticket` is read from now."""
    if ticket.payload_wrapped_key is not None:
        return "payload"
    return "kit" if ticket.kit_wrapped_key is not None else "none"


def open_material(
    store: ObjectStore, keys: KeyRing, ticket: SealedPayload, again: Callable[[], SealedPayload] | None = None
) -> Subject:
    """The person of `ticket`: its payload, else its kit. `again` reads the row anew: it may be shredded meanwhile.

    Raises NeedsResubmission where neither is left, StoreUnavailable or KeysUnavailable where a part is away.
    """
    try:
        return load_subject(_open(store, keys, ticket))
    except NotFound:
        if again is None:
            raise
    return load_subject(_open(store, keys, again()))


def pack_kit(subject: Subject) -> bytes:
    """The audit kit of `subject`: its names and facts, and its first pictures made small."""
    photos = []
    for photo in subject.photos[:KIT_PHOTOS]:
        small, buffer = photo.copy(), io.BytesIO()
        small.thumbnail((KIT_SIDE, KIT_SIDE))
        small.save(buffer, "PNG")
        photos.append(buffer.getvalue())
    return pack_subject(subject.names, photos, subject.facts)


def _open(store: ObjectStore, keys: KeyRing, ticket: SealedPayload) -> bytes:
    if ticket.payload_wrapped_key is not None:
        return keys.open(store.get(ticket.payload_key), ticket.payload_wrapped_key, ticket.payload_key)
    if ticket.kit_wrapped_key is not None and ticket.kit_key is not None:
        return keys.open(store.get(ticket.kit_key), ticket.kit_wrapped_key, ticket.kit_key)
    raise NeedsResubmission(
        f"The raw material of ticket {ticket.id} was shredded and it has no audit kit: have it filed again, and "
        f"withdraw {ticket.id} then."
    )
