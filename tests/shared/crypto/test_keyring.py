"""Sealing, signing and blind indexing: altered, moved or foreign data is refused."""

import base64
import copy
from typing import Any

import pytest

from shared.core.config import Settings
from shared.crypto.keyring import KeyRing
from shared.crypto.signing import Signer, Verifier
from shared.errors import BadInput, IntegrityFailure

KIND = "application/vnd.test+json"


def test_sealed_blob_opens_only_with_its_own_key_and_place(keys: KeyRing) -> None:
    sealed = keys.seal(b"Mara Lindqvist", "payloads/1")
    assert b"Mara" not in sealed.blob
    assert len(sealed.wrapped_key) == 40  # RFC 3394: the key and 8 bytes
    assert keys.open(sealed.blob, sealed.wrapped_key, "payloads/1") == b"Mara Lindqvist"
    other = keys.seal(b"Mara Lindqvist", "payloads/1")
    assert other.blob != sealed.blob
    for blob, key, place, ring in (
        (sealed.blob[:-1] + bytes([sealed.blob[-1] ^ 1]), sealed.wrapped_key, "payloads/1", keys),
        (sealed.blob, sealed.wrapped_key, "payloads/2", keys),
        (sealed.blob, other.wrapped_key, "payloads/1", keys),
        (sealed.blob, bytes(40), "payloads/1", keys),
        (b"", sealed.wrapped_key, "payloads/1", keys),
        (sealed.blob, sealed.wrapped_key, "payloads/1", KeyRing(bytes(32))),
    ):
        with pytest.raises(IntegrityFailure):
            ring.open(blob, key, place)


def test_equal_names_meet_in_the_index_and_nobody_else_can_compute_it(keys: KeyRing) -> None:
    assert keys.blind_index("Mara Lindqvist") == keys.blind_index("MARA LINDQVIST")
    assert keys.blind_index(" Mara  Lindqvist ") == keys.blind_index("Mara\u00a0Lindqvist")
    assert keys.blind_index("José") == keys.blind_index("Jose\u0301")
    assert keys.blind_index("Mara Lindqvist") != keys.blind_index("Mara Lindquist")
    assert keys.blind_index("Mara Lindqvist") != KeyRing(bytes(32)).blind_index("Mara Lindqvist")


@pytest.mark.parametrize(
    "change",
    [
        {"payload": base64.b64encode(b'{"number":8}').decode()},
        {"payloadType": "application/other"},
        {"payload": "%%%"},
        {"signatures": []},
        {"signatures": [{}]},
        {"signatures": None},
        {"payload": None},
    ],
)
def test_signature_over_changed_envelope_is_refused(signer: Signer, verifier: Verifier, change: dict[str, Any]) -> None:
    envelope = signer.sign(b'{"number":7}', KIND)
    assert verifier.verify(envelope) == b'{"number":7}'
    with pytest.raises(IntegrityFailure):
        verifier.verify(envelope | change)
    with pytest.raises(IntegrityFailure):
        verifier.verify({name: value for name, value in envelope.items() if name not in change})


def test_unknown_signer_is_refused_and_any_trusted_signer_is_accepted(signer: Signer) -> None:
    private, public = Signer.generate()
    envelope = Signer(private).sign(b"x", KIND)
    with pytest.raises(IntegrityFailure, match="not signed by a key that is trusted"):
        Verifier([signer.public]).verify(envelope)
    assert Verifier([signer.public, public]).verify(envelope) == b"x"
    forged = copy.deepcopy(envelope)
    forged["signatures"][0]["keyid"] = signer.sign(b"x", KIND)["signatures"][0]["keyid"]
    with pytest.raises(IntegrityFailure, match="does not hold"):
        Verifier([signer.public]).verify(forged)


def test_keys_that_are_no_keys_are_refused_by_name() -> None:
    with pytest.raises(BadInput, match="LACUNA_KEK must be set"):
        KeyRing.from_settings(Settings())
    with pytest.raises(BadInput, match="LACUNA_KEK is not base64"):
        KeyRing.from_settings(Settings(kek="%"))
    with pytest.raises(BadInput, match="32 bytes"):
        KeyRing.from_settings(Settings(kek="AAAA"))
    with pytest.raises(BadInput, match="LACUNA_SIGNING_KEY"):
        Signer.from_settings(Settings())
