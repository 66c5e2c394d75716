"""From the sealed objects of a ticket back to the person whom it is about. No worker sees personal data in another way.

While the raw payload exists, it is read. After its destruction the audit kit is read: names, facts and a few small
pictures, enough to ask again whether the person is forgotten. The caller drops the person as soon as the probes exist.
"""

import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Final, Literal, Protocol

from shared.artifacts.payloads import load_subject, pack_subject
from shared.crypto.keyring import KeyRing
from shared.domain.subjects import Subject
from shared.errors import NeedsResubmission, NotFound
from shared.storage.base import ObjectStore

KIT_PHOTOS: Final = 3
KIT_SIDE: Final = 336  # pixels: what the vision tower of LLaVA-1.5 sees; a kit need not be sharper than the model

MaterialSource = Literal["payload", "kit", "none"]


class SealedPayload(Protocol):
    """Where the objects of a ticket are and what opens them."""

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
    @property
    def languages(self) -> Sequence[str]: ...


def material_source(ticket: SealedPayload) -> MaterialSource:
    """Which object the person of `ticket` is read from now."""
    if ticket.payload_wrapped_key is not None:
        return "payload"
    return "kit" if ticket.kit_wrapped_key is not None else "none"


def open_material(
    store: ObjectStore, keys: KeyRing, ticket: SealedPayload, reload: Callable[[], SealedPayload] | None = None
) -> Subject:
    """The person of `ticket`, from its payload or else from its audit kit, with the ticket's languages.

    `reload` gives the ticket as it is now: its payload may have been shredded since the caller read the row. Raises
    NeedsResubmission where neither object is left, StoreUnavailable or KeysUnavailable where a backend is away.
    """
    try:
        return _load(open_sealed(store, keys, ticket), ticket)
    except NotFound:
        if reload is None:
            raise
    ticket = reload()
    return _load(open_sealed(store, keys, ticket), ticket)


def pack_kit(subject: Subject) -> bytes:
    """The audit kit of `subject` as bytes: its names and facts, and its first pictures, reduced."""
    photos = []
    for photo in subject.photos[:KIT_PHOTOS]:
        small, buffer = photo.copy(), io.BytesIO()
        small.thumbnail((KIT_SIDE, KIT_SIDE))
        small.save(buffer, "PNG")
        photos.append(buffer.getvalue())
    return pack_subject(subject.names, photos, subject.facts)


def _load(blob: bytes, ticket: SealedPayload) -> Subject:
    """The languages stand in the ticket's row: they are not personal, and outlive the payload without a kit."""
    return replace(load_subject(blob), languages=tuple(ticket.languages))


def open_sealed(store: ObjectStore, keys: KeyRing, ticket: SealedPayload) -> bytes:
    """The bytes of the payload, or else of the audit kit. Raises as `open_material` does."""
    if ticket.payload_wrapped_key is not None:
        return keys.open(store.get(ticket.payload_key), ticket.payload_wrapped_key, ticket.payload_key)
    if ticket.kit_wrapped_key is not None and ticket.kit_key is not None:
        return keys.open(store.get(ticket.kit_key), ticket.kit_wrapped_key, ticket.kit_key)
    raise NeedsResubmission(
        f"The raw material of ticket {ticket.id} was shredded and it has no audit kit: have it filed again, and "
        f"withdraw {ticket.id} then."
    )
