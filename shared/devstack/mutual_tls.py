"""Closes the inner ports of SeaweedFS: its parts talk to each other by mutual TLS, and to nobody else.

Only the S3 port asks for a key by itself. The ports of its master, volume server and filer, over HTTP and gRPC, answer
whoever reaches them: on a machine that others use, or in a network of containers, that is everybody. With the files
that are written here they ask for a certificate that nobody but the server has.
"""

import ipaddress
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from shared.devstack.ports import LOOPBACK

CONFIGURATION: Final = "security.toml"
AUTHORITY, CERTIFICATE, KEY = "s3-ca.pem", "s3-certificate.pem", "s3-key.pem"
VALID_FOR: Final = timedelta(days=3650)
GRPC: Final = ("volume", "master", "filer", "s3", "msg_broker", "msg_agent", "admin", "worker", "mq", "client")
HTTPS: Final = ("volume", "master", "filer", "admin", "client")


def write_mutual_tls(folder: Path, read_from: str) -> list[Path]:
    """Draw an authority with one certificate, which forget their signing key, and write them with the configuration.

    Each file is readable by its owner alone. `read_from`: the folder under which the server finds the certificates.
    """
    signing = ec.generate_private_key(ec.SECP256R1())
    own = ec.generate_private_key(ec.SECP256R1())
    authority = _certificate("lacuna s3 authority", signing.public_key(), signing, is_authority=True)
    certificate = _certificate("lacuna s3", own.public_key(), signing, is_authority=False)
    key = own.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    contents = {
        AUTHORITY: authority.public_bytes(serialization.Encoding.PEM),
        CERTIFICATE: certificate.public_bytes(serialization.Encoding.PEM),
        KEY: key,
        CONFIGURATION: _configuration(read_from).encode(),
    }
    return [_private(folder / name, content) for name, content in contents.items()]


def _configuration(folder: str) -> str:
    ca, pair = f'ca = "{folder}/{AUTHORITY}"\n', f'cert = "{folder}/{CERTIFICATE}"\nkey = "{folder}/{KEY}"\n'
    parts = [f"[grpc]\n{ca}", *(f"[grpc.{part}]\n{pair}" for part in GRPC)]
    parts += [f"[https.{part}]\n{'enabled = true' if part == 'client' else ''}\n{pair}{ca}" for part in HTTPS]
    return "\n".join(parts)


def _certificate(
    name: str, public: ec.EllipticCurvePublicKey, signing: ec.EllipticCurvePrivateKey, *, is_authority: bool
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "lacuna s3 authority")]))
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
    )
    if not is_authority:
        addresses = [x509.IPAddress(ipaddress.ip_address(LOOPBACK)), x509.DNSName("localhost")]
        usage = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        builder = builder.add_extension(x509.SubjectAlternativeName(addresses), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
    return builder.sign(signing, hashes.SHA256())


def _private(path: Path, content: bytes) -> Path:
    path.unlink(missing_ok=True)  # a file that is there keeps its mode
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)
    return path
