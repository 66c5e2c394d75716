"""Signed PDFs: what pyHanko's validator says of them, and which keys are refused at the start."""

import io
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

pytest.importorskip("pyhanko", reason="the extra `pades` is not installed")

from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import timestamps
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from services.request.documents import signature
from services.request.documents.page import DocumentPage
from services.request.documents.signature import PdfSigner, signed
from shared.core.config import PdfSettings
from shared.devstack.ports import LOOPBACK, free_ports
from shared.errors import BadInput, Unavailable
from tests.support.certificates import Authority, p12, pem, pem_key

PASSWORD = "a test's"


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority.make()


@pytest.fixture(scope="module")
def pdf() -> bytes:
    page = DocumentPage("Report", "en", ["Nothing is told."], "A foot.")
    page.say("Nothing is told.")
    return bytes(page.output())


@pytest.fixture
def settings(authority: Authority, tmp_path: Path) -> PdfSettings:
    key = ec.generate_private_key(ec.SECP256R1())
    chain = pem(tmp_path / "chain.pem", authority.issue(key), authority.certificate)
    return PdfSettings(key=pem_key(tmp_path / "key.pem", key), certificates=chain)


def signer_of(settings: PdfSettings) -> PdfSigner:
    signer = PdfSigner.from_settings(settings)
    assert signer is not None
    return signer


def status(pdf: bytes, authority: Authority) -> Any:
    """What the validator says of the only signature, where it trusts the authority alone."""
    (embedded,) = PdfFileReader(io.BytesIO(pdf)).embedded_signatures
    root = asn1.Certificate.load(authority.certificate.public_bytes(Encoding.DER))
    return validate_pdf_signature(embedded, ValidationContext(trust_roots=[root], allow_fetching=False))


class TestSign:
    def test_signature_is_of_the_whole_file_and_of_the_authority(
        self, pdf: bytes, settings: PdfSettings, authority: Authority
    ) -> None:
        seen = status(signed(pdf, signer_of(settings)), authority)
        assert seen.bottom_line
        assert (seen.intact, seen.valid, seen.trusted) == (True, True, True)
        assert seen.coverage.name == "ENTIRE_FILE"
        assert seen.timestamp_validity is None
        assert not status(signed(pdf, signer_of(settings)), Authority.make()).trusted

    def test_pdf_is_a_pades_signature_and_still_holds_what_it_held(self, pdf: bytes, settings: PdfSettings) -> None:
        made = signed(pdf, signer_of(settings))
        assert made.startswith(pdf)
        (embedded,) = PdfFileReader(io.BytesIO(made)).embedded_signatures
        assert embedded.sig_object["/SubFilter"] == "/ETSI.CAdES.detached"
        attributes = {each["type"].native for each in embedded.signer_info["signed_attrs"]}
        assert "signing_certificate_v2" in attributes
        assert "signing_time" not in attributes  # which the profile forbids in the attributes

    def test_one_byte_that_was_changed_is_seen(self, pdf: bytes, settings: PdfSettings, authority: Authority) -> None:
        made = bytearray(signed(pdf, signer_of(settings)))
        place = made.index(b"/Title") + len(b"/Title (") + 2
        made[place] ^= 1
        seen = status(bytes(made), authority)
        assert not seen.intact
        assert not seen.bottom_line

    def test_what_is_appended_is_seen(self, pdf: bytes, settings: PdfSettings, authority: Authority) -> None:
        once = signed(pdf, signer_of(settings))
        seen = status(once + b"\n% more\n", authority)
        assert not seen.bottom_line or seen.coverage.name != "ENTIRE_FILE"

    def test_pkcs12_file_with_an_rsa_key_signs(self, pdf: bytes, authority: Authority, tmp_path: Path) -> None:
        key = rsa.generate_private_key(65537, 2048)
        file = p12(tmp_path / "key.p12", key, authority.issue(key), authority, PASSWORD.encode())
        assert status(signed(pdf, signer_of(PdfSettings(key=file, password=PASSWORD))), authority).bottom_line

    def test_certificate_that_has_ended_since_the_start_signs_nothing(
        self, pdf: bytes, settings: PdfSettings, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        signer = signer_of(settings)
        later = signer.certificate.not_valid_after_utc + timedelta(seconds=1)
        monkeypatch.setattr(signature, "utc_now", lambda: later)
        with pytest.raises(Unavailable, match="ended on"):
            signed(pdf, signer)

    def test_without_a_key_nothing_is_signed(self, pdf: bytes) -> None:
        assert PdfSigner.from_settings(PdfSettings()) is None
        assert signed(pdf, None) == pdf


class TestTimeStamp:
    def test_signature_has_a_time_stamp_of_the_named_authority(
        self, pdf: bytes, settings: PdfSettings, authority: Authority, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        key = rsa.generate_private_key(65537, 2048)
        own = asn1.Certificate.load(authority.issue(key).public_bytes(Encoding.DER))
        asked: list[str] = []

        def stamper(url: str, **_: Any) -> Any:
            asked.append(url)
            der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            store = SimpleCertificateStore.from_certs([own])
            return timestamps.DummyTimeStamper(own, asn1_keys.PrivateKeyInfo.load(der), store)

        monkeypatch.setattr(timestamps, "HTTPTimeStamper", stamper)
        url = "https://tsa.example.org"
        made = signed(pdf, signer_of(settings.model_copy(update={"tsa_url": url})))
        assert asked == [url]
        seen = status(made, authority)
        assert seen.intact
        assert seen.valid
        assert seen.timestamp_validity.intact
        assert seen.timestamp_validity.valid

    def test_authority_that_does_not_answer_is_said(self, pdf: bytes, settings: PdfSettings) -> None:
        """Rather than a file of a lower level than was asked for."""
        url = f"http://{LOOPBACK}:{free_ports(1)[0]}"
        with pytest.raises(Unavailable, match="gives no time-stamp"):
            signed(pdf, signer_of(settings.model_copy(update={"tsa_url": url})))


class TestRefusedKeys:
    def refusal(self, settings: PdfSettings) -> str:
        with pytest.raises(BadInput) as refused:
            PdfSigner.from_settings(settings)
        return refused.value.detail

    def test_settings_that_do_not_go_together(self, settings: PdfSettings) -> None:
        assert "LACUNA_PDF_KEY must be set" in self.refusal(PdfSettings(tsa_url="https://tsa.example.org"))
        assert "LACUNA_PDF_KEY must be set" in self.refusal(PdfSettings(certificates=settings.certificates))
        assert "LACUNA_PDF_CERTIFICATES must be set" in self.refusal(PdfSettings(key=settings.key))

    def test_files_that_cannot_be_read(self, settings: PdfSettings, tmp_path: Path) -> None:
        missing = self.refusal(settings.model_copy(update={"key": tmp_path / "none"}))
        assert missing == f"LACUNA_PDF_KEY: {tmp_path / 'none'} cannot be read: No such file or directory."
        (tmp_path / "odd").write_bytes(b"\x00 no key")
        assert "neither PEM nor a PKCS#12" in self.refusal(settings.model_copy(update={"key": tmp_path / "odd"}))
        (tmp_path / "broken").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        assert "cannot be read" in self.refusal(settings.model_copy(update={"key": tmp_path / "broken"}))
        odd = settings.model_copy(update={"certificates": tmp_path / "odd"})
        assert "holds no certificate" in self.refusal(odd)

    def test_password_that_is_missing_or_wrong_is_not_repeated(self, authority: Authority, tmp_path: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = authority.issue(key)
        chain = pem(tmp_path / "chain.pem", certificate)
        for file in (
            p12(tmp_path / "key.p12", key, certificate, authority, PASSWORD.encode()),
            pem_key(tmp_path / "key.pem", key, PASSWORD.encode()),
        ):
            assert "LACUNA_PDF_PASSWORD is not set" in self.refusal(PdfSettings(key=file, certificates=chain))
            wrong = self.refusal(PdfSettings(key=file, certificates=chain, password="not this"))
            assert "is LACUNA_PDF_PASSWORD the right one?" in wrong
            assert "not this" not in wrong

    def test_certificate_that_is_another_key_s_or_not_valid_or_not_for_signatures(
        self, settings: PdfSettings, authority: Authority, tmp_path: Path
    ) -> None:
        other = pem(tmp_path / "other.pem", authority.issue(ec.generate_private_key(ec.SECP256R1())))
        assert "is not that of LACUNA_PDF_KEY" in self.refusal(settings.model_copy(update={"certificates": other}))
        key = ec.generate_private_key(ec.SECP256R1())
        own = PdfSettings(key=pem_key(tmp_path / "own.pem", key))
        ended = pem(tmp_path / "ended.pem", authority.issue(key, timedelta(days=-1)))
        assert "not now" in self.refusal(own.model_copy(update={"certificates": ended}))
        unfit = pem(tmp_path / "unfit.pem", authority.issue(key, signs=False))
        assert "not for signatures" in self.refusal(own.model_copy(update={"certificates": unfit}))

    def test_keys_that_nobody_should_sign_with(self, authority: Authority, tmp_path: Path) -> None:
        small = rsa.generate_private_key(65537, 1024)  # noqa: S505
        chain = pem(tmp_path / "chain.pem", authority.issue(small))
        weak = PdfSettings(key=pem_key(tmp_path / "small.pem", small), certificates=chain)
        assert "has at least 2048 bits" in self.refusal(weak)
        odd: Any = ed25519.Ed25519PrivateKey.generate()
        edwards = PdfSettings(key=pem_key(tmp_path / "ed.pem", odd), certificates=chain)
        assert "has to be RSA" in self.refusal(edwards)
