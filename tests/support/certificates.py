"""A certificate authority of a test's own, and signing certificates of it, as files."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from shared.core.clock import utc_now

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


@dataclass(frozen=True)
class Authority:
    """The root, and its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @classmethod
    def make(cls) -> "Authority":
        """A new one."""
        key = ec.generate_private_key(ec.SECP256R1())
        made = _builder("Test root", _name("Test root"), key, timedelta(days=10))
        made = made.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        made = made.add_extension(_usage(signs=False, issues=True), critical=True)
        return cls(made.sign(key, hashes.SHA256()), key)

    def issue(self, key: Key, valid: timedelta = timedelta(days=5), *, signs: bool = True) -> x509.Certificate:
        """A certificate of `key` that ends after `valid`, for signatures or not."""
        made = _builder("Test officer", self.certificate.subject, key, valid)
        return made.add_extension(_usage(signs=signs), critical=True).sign(self.key, hashes.SHA256())


def _builder(subject: str, issuer: x509.Name, key: Key, valid: timedelta) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(utc_now() - timedelta(days=9))
        .not_valid_after(utc_now() + valid)
    )


def _usage(*, signs: bool, issues: bool = False) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=signs, content_commitment=signs, key_encipherment=not (signs or issues),
        data_encipherment=False, key_agreement=False, key_cert_sign=issues, crl_sign=issues,
        encipher_only=False, decipher_only=False,
    )  # fmt: skip


def pem(path: Path, *certificates: x509.Certificate) -> Path:
    """The certificates as a file."""
    path.write_bytes(b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates))
    return path


def pem_key(path: Path, key: Key, password: bytes | None = None) -> Path:
    """The private key as a file."""
    sealed = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    path.write_bytes(key.private_bytes(*form, sealed))
    return path


def p12(path: Path, key: Key, certificate: x509.Certificate, authority: Authority, password: bytes) -> Path:
    """Key and certificates as a PKCS#12 file."""
    sealed = serialization.BestAvailableEncryption(password)
    path.write_bytes(
        pkcs12.serialize_key_and_certificates(b"officer", key, certificate, [authority.certificate], sealed)
    )
    return path
