"""Fetch one eraser version and verify it: size, sha256, signature, manifest, digest, schema, finite values.

The audit and the inference service both load through here, so that what was audited is what is served.
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Protocol

from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Verifier
from shared.erasure.eraser import Eraser
from shared.erasure.serialization import load
from shared.errors import IntegrityFailure
from shared.storage.base import ObjectStore


class PublishedVersion(Protocol):
    """Where the object of an eraser version is, and what opens and verifies it."""

    @property
    def number(self) -> int: ...
    @property
    def object_key(self) -> str: ...
    @property
    def sha256(self) -> str: ...
    @property
    def manifest(self) -> Mapping[str, Any]: ...
    @property
    def envelope(self) -> Mapping[str, Any]: ...
    @property
    def wrapped_key(self) -> bytes: ...


def canonical(manifest: Mapping[str, Any]) -> bytes:
    """The signed bytes of a manifest: JSON with sorted keys and no spaces, in UTF-8."""
    return json.dumps(manifest, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def load_verified_eraser(store: ObjectStore, keys: KeyRing, verifier: Verifier, version: PublishedVersion) -> Eraser:
    """The eraser of `version`. Raises IntegrityFailure where any byte is another one than was published."""
    blob = store.get(version.object_key)
    if hashlib.sha256(blob).hexdigest() != version.sha256:
        raise IntegrityFailure(f"The object of eraser version {version.number} was altered: its sha256 differs.")
    signed = verifier.verify(dict(version.envelope))
    if signed != canonical(version.manifest):
        raise IntegrityFailure(f"The manifest of eraser version {version.number} is not the one that was signed.")
    return load(keys.open(blob, version.wrapped_key, version.object_key), dict(version.manifest))
