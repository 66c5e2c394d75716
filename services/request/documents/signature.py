"""PdfSigner: puts a signature on a PDF that a reader of PDF can check (PAdES, ETSI EN 319 142-1).

Its level is B-B, or B-T where a time-stamping authority is named: the signature then holds a time-stamp (RFC 3161) of
that authority. The signature is of the whole file and shows nothing on a page. What the key is worth, such as an
advanced or a qualified signature, depends on who gave out its certificate. Needs the extra `pades` (pyHanko).
"""

import io
import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12

from shared.core.clock import utc_now
from shared.core.config import PdfSettings
from shared.errors import BadInput, Unavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

logger = logging.getLogger(__name__)
KEY, CERTIFICATES, PASSWORD = "LACUNA_PDF_KEY", "LACUNA_PDF_CERTIFICATES", "LACUNA_PDF_PASSWORD"
FIELD: Final = "Signature"
LEAST_RSA_BITS: Final = 2048
TSA_TIMEOUT_S: Final = 10


@dataclass(frozen=True)
class PdfSigner:
    """A private key, its certificate, and the certificates up to an authority.

    `tsa_url`: of the time-stamping authority; empty for signatures without a time-stamp.
    """

    key: "PrivateKeyTypes"
    certificate: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    tsa_url: str = ""

    @classmethod
    def from_settings(cls, settings: PdfSettings) -> "PdfSigner | None":
        """The signer of these settings; None where they name no key.

        Raises BadInput, which names the setting, for a key or a certificate that cannot be used.
        """
        if settings.key is None:
            if settings.certificates is not None or settings.password or settings.tsa_url:
                raise BadInput(f"{KEY} must be set with {CERTIFICATES}, {PASSWORD} or LACUNA_PDF_TSA_URL.")
            return None
        try:
            import pyhanko.sign  # noqa: F401, PLC0415 - the extra `pades`
        except ImportError as exc:
            raise BadInput(f"{KEY} needs the extra `pades`: pip install pyhanko.") from exc
        raw = _read(settings.key, KEY)
        password = settings.password.encode() or None
        if raw.lstrip().startswith(b"-----BEGIN"):
            key, (certificate, *chain) = _pem_key(raw, password), _pem_certificates(settings.certificates)
        else:
            key, certificate, chain = _pkcs12(raw, password)
            chain += _pem_certificates(settings.certificates) if settings.certificates is not None else []
        _check(key, certificate)
        return cls(key, certificate, tuple(chain), settings.tsa_url)

    def sign(self, pdf: bytes) -> bytes:
        """The PDF with the signature.

        Raises Unavailable where the time-stamping authority gives no time-stamp, or the certificate has ended.
        """
        if self.certificate.not_valid_after_utc < utc_now():
            ended = f"{self.certificate.not_valid_after_utc:%Y-%m-%d}"
            raise Unavailable(f"The certificate that signs PDFs ended on {ended}. The operator has to give a new one.")
        from asn1crypto import keys  # noqa: PLC0415 - the extra `pades`, only where a key is given
        from asn1crypto import x509 as asn1  # noqa: PLC0415
        from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter  # noqa: PLC0415
        from pyhanko.sign import fields, signers, timestamps  # noqa: PLC0415
        from pyhanko_certvalidator.registry import SimpleCertificateStore  # noqa: PLC0415

        der, private = serialization.Encoding.DER, serialization.PrivateFormat.PKCS8
        own, *chain = (asn1.Certificate.load(each.public_bytes(der)) for each in (self.certificate, *self.chain))
        secret = self.key.private_bytes(der, private, serialization.NoEncryption())
        signer = signers.SimpleSigner(own, keys.PrivateKeyInfo.load(secret), SimpleCertificateStore.from_certs(chain))
        stamper = timestamps.HTTPTimeStamper(self.tsa_url, timeout=TSA_TIMEOUT_S) if self.tsa_url else None
        metadata = signers.PdfSignatureMetadata(
            field_name=FIELD, md_algorithm="sha256", subfilter=fields.SigSeedSubFilter.PADES
        )
        signing = signers.PdfSigner(metadata, signer, timestamper=stamper)
        try:
            signed: bytes = signing.sign_pdf(IncrementalPdfFileWriter(io.BytesIO(pdf))).getvalue()
        except timestamps.TimestampRequestError as exc:
            logger.warning("no time-stamp for a PDF: %s", exc)
            raise Unavailable(f"The time-stamping authority {self.tsa_url} gives no time-stamp for the PDF.") from exc
        return signed


def signed(pdf: bytes, signer: PdfSigner | None) -> bytes:
    """The PDF with a signature where there is a key."""
    return signer.sign(pdf) if signer is not None else pdf


def _read(path: Path, setting: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as exc:
        raise BadInput(f"{setting}: {path} cannot be read: {exc.strerror}.") from exc


def _pem_key(raw: bytes, password: bytes | None) -> "PrivateKeyTypes":
    try:
        return serialization.load_pem_private_key(raw, password)
    except (ValueError, TypeError) as exc:
        raise BadInput(f"{KEY}: the private key cannot be read; {_hint(password)}") from exc


def _pem_certificates(path: Path | None) -> list[x509.Certificate]:
    if path is None:
        raise BadInput(f"{CERTIFICATES} must be set with a key in PEM: its certificate, and those up to an authority.")
    try:
        return x509.load_pem_x509_certificates(_read(path, CERTIFICATES))
    except ValueError as exc:
        raise BadInput(f"{CERTIFICATES}: {path} holds no certificate in PEM.") from exc


def _pkcs12(raw: bytes, password: bytes | None) -> tuple[Any, x509.Certificate, list[x509.Certificate]]:
    try:
        key, certificate, chain = pkcs12.load_key_and_certificates(raw, password)
    except ValueError as exc:
        raise BadInput(f"{KEY}: this is neither PEM nor a PKCS#12 file that can be opened; {_hint(password)}") from exc
    if key is None or certificate is None:
        raise BadInput(f"{KEY}: the PKCS#12 file holds no private key with its certificate.")
    return key, certificate, chain


def _hint(password: bytes | None) -> str:
    return f"is {PASSWORD} the right one?" if password else f"{PASSWORD} is not set."


def _check(key: "PrivateKeyTypes", certificate: x509.Certificate) -> None:
    """Raise BadInput for a key that nobody should sign with, and for a certificate that is not of it or not valid."""
    spki = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise BadInput(f"{KEY}: the key has to be RSA, or of an elliptic curve that is used with ECDSA.")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < LEAST_RSA_BITS:
        raise BadInput(f"{KEY}: an RSA key has at least {LEAST_RSA_BITS} bits, this one has {key.key_size}.")
    if key.public_key().public_bytes(*spki) != certificate.public_key().public_bytes(*spki):
        raise BadInput(f"{CERTIFICATES}: the first certificate is not that of {KEY}.")
    if not certificate.not_valid_before_utc <= utc_now() <= certificate.not_valid_after_utc:
        until = f"from {certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
        raise BadInput(f"{CERTIFICATES}: the certificate is valid {until}, not now.")
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return
    if not (usage.digital_signature or usage.content_commitment):
        raise BadInput(f"{CERTIFICATES}: the certificate is not for signatures (its key usage).")
