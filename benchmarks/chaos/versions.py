"""Publishes and promotes a version without a refit worker, an audit worker and a control loop: their writes alone.

Such a version may know people by their texts alone, so that nothing has to be fitted.
"""

import hashlib
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from sqlalchemy import Engine as Database

from services.refit.fitting import text_of_subject
from shared.artifacts.erasers import canonical
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer
from shared.db.repositories import audits, refits, rollouts
from shared.db.repositories import erasers as erasers_repository
from shared.db.session import transaction
from shared.erasure.eraser import Eraser
from shared.erasure.gates.identity import IdentityGate
from shared.erasure.gates.identity_fit import IdentityFit, IdentitySpaces
from shared.erasure.gates.text import text_gate
from shared.erasure.numerics.whitening import Whitener
from shared.erasure.recipe import Recipe
from shared.erasure.serialization import dump
from shared.erasure.site import Site
from shared.evaluation.people import Person
from shared.storage.base import ObjectStore
from shared.transparency.media_types import MANIFEST_TYPE

LEASE_S = 30.0


class Published(NamedTuple):
    """A version that was promoted."""

    number: int
    generation: int
    object_key: str


@dataclass(frozen=True)
class Publisher:
    """Writes under the role of each service: `database` gives the engine of a role."""

    database: Callable[[str], Database]
    store: ObjectStore
    keys: KeyRing
    signer: Signer
    model_id: str

    def publish(self, eraser: Eraser, *tickets: str) -> Published:
        """Seal, store, audit and promote a version that covers `tickets`."""
        run = str(uuid.uuid4())
        with transaction(self.database("refit")) as session:
            claim = refits.claim_run(session, run, self.model_id, "urgent", lease_s=LEASE_S)
        assert claim is not None
        with transaction(self.database("refit")) as session:
            number = erasers_repository.next_version_number(session, self.model_id)
            blob, manifest = dump(eraser, {"number": number, "model": self.model_id})
            key = f"erasers/{number}"
            sealed = self.keys.seal(blob, key)
            self.store.put(key, sealed.blob)
            new = erasers_repository.NewVersion(
                model_id=self.model_id,
                number=number,
                recipe="lacuna",
                object_key=key,
                sha256=hashlib.sha256(sealed.blob).hexdigest(),
                size_bytes=len(sealed.blob),
                manifest=manifest,
                envelope=self.signer.sign(canonical(manifest), MANIFEST_TYPE),
                wrapped_key=sealed.wrapped_key,
                tickets=dict.fromkeys(tickets, "0" * 64),
            )
            version = erasers_repository.add_version(session, run, claim.fence, new)
        audit = str(uuid.uuid4())
        with transaction(self.database("audit")) as session:
            audits.claim_audit(session, audit, str(version.id), lease_s=LEASE_S)
            audits.finish_audit(session, audit, 1, status="succeeded", verdict="passed")
        with transaction(self.database("request")) as session:
            state = rollouts.desired_state(session, self.model_id)
            generation = rollouts.set_desired_state(session, state, version, "manual", "oscar").generation
        return Published(number, generation, key)


def eraser_by_names(site: Site, people: Sequence[Person]) -> Eraser:
    """An eraser whose text gate knows these people, and whose identity gate recognises nobody: nothing is fitted."""
    tickets = tuple(person.id for person in people)
    layers, width = len(site.layers), site.hidden_size

    def whitener() -> Whitener:
        return Whitener(
            torch.zeros(layers, width), torch.zeros(layers, width, 1), torch.ones(layers, 1), torch.ones(layers)
        )

    def nobody() -> IdentityFit:
        windows, lengths = torch.zeros(0, 4, layers, width), torch.zeros(0).long()
        return IdentityFit(torch.zeros(0, layers, width), windows, lengths, lengths.clone(), torch.ones(2))

    def bounds() -> torch.Tensor:
        return torch.full((len(tickets), 2), 2.0)

    spaces = IdentitySpaces(whitener(), whitener(), None)
    gate = IdentityGate(tickets, tuple(nobody() for _ in tickets), bounds(), bounds(), spaces, bounds())
    texts = text_gate(text_of_subject(person.subject) for person in people)
    blocks, vector = tuple(range(layers)), torch.zeros(layers, width)
    return Eraser(Recipe.named("lacuna"), site, vector, blocks, tickets, threshold=0.0, identity=gate, text=texts)
