"""From a ticket's sealed object back to the person it speaks of. The only way in which a worker sees personal data.

Knows nothing of activations; the caller drops what it gets as soon as the probes are made.
"""

from typing import Protocol

from shared.crypto import KeyRing
from shared.errors import NotFound
from shared.payload import load_subject
from shared.probes.expand import Subject
from shared.store.base import Store


class SealedPayload(Protocol):
    """What a ticket's row says of its payload."""

    @property
    def id(self) -> str: ...
    @property
    def payload_key(self) -> str: ...
    @property
    def payload_wrapped_key(self) -> bytes | None: ...


def open_material(store: Store, keys: KeyRing, ticket: SealedPayload) -> Subject:
    """The person of `ticket`; raises NotFound where its key was destroyed, StoreUnavailable where the store is away."""
    if ticket.payload_wrapped_key is None:
        raise NotFound(f"The raw material of ticket {ticket.id} was shredded.")
    blob = store.get(ticket.payload_key)
    return load_subject(keys.open(blob, ticket.payload_wrapped_key, ticket.payload_key))
