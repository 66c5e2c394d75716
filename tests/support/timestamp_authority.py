"""A stand-in for a time-stamping authority: CA and signing certificate of its own, `openssl ts` behind real HTTP."""

import shutil
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from fastapi import FastAPI, Request, Response
from rfc3161_client import decode_timestamp_response

POLICY = "1.3.6.1.4.1.99999.1"
CONFIG = """[tsa]
default_tsa = own
[own]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.0
other_policies = {policy}
digests = sha256, sha512
ess_cert_id_alg = sha256
"""


@dataclass
class StandInAuthority:
    """A time-stamping authority that can misbehave.

    `mode` says how: "" not at all, `away` (503), `html` (no token), `other` (a token on something else), `again` (an
    old answer), `refuse` (it knows no such hash).
    """

    folder: Path
    purpose: Any = ExtendedKeyUsageOID.TIME_STAMPING
    ends_in: timedelta = timedelta(days=30)
    mode: str = ""
    asked: list[bytes] = field(default_factory=list)
    given: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True)
        root, self.ca = _certificate("Stand-in CA", None, None, timedelta(days=30))
        key, leaf = _certificate("Stand-in TSA", (root, self.ca), self.purpose, self.ends_in)
        self.ca_file = self.folder / "ca.pem"
        self.ca_file.write_bytes(self.ca.public_bytes(serialization.Encoding.PEM))
        (self.folder / "tsa.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        (self.folder / "tsa.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        (self.folder / "serial").write_text("01\n")
        (self.folder / "ts.cnf").write_text(CONFIG.format(folder=self.folder, policy=POLICY))

    def stamp(self, request: bytes) -> bytes:
        """The answer of an honest authority."""
        (self.folder / "query").write_bytes(request)
        _openssl(self.folder, "ts", "-reply", "-config", "ts.cnf", "-queryfile", "query", "-out", "reply")
        return (self.folder / "reply").read_bytes()

    def sign(self, token: bytes) -> bytes:
        """The TSTInfo of another's token, signed with our own certificate, whatever that is for."""
        (self.folder / "theirs").write_bytes(decode_timestamp_response(token).time_stamp_token())
        _openssl(self.folder, "cms", "-verify", "-noverify", "-inform", "DER", "-in", "theirs", "-out", "info")
        _openssl(
            self.folder, "cms", "-sign", "-binary", "-nodetach", "-outform", "DER", "-in", "info", "-out", "own",
            "-signer", "tsa.pem", "-inkey", "tsa.key", "-md", "sha256", "-econtent_type", "1.2.840.113549.1.9.16.1.4",
        )  # fmt: skip
        body = bytes.fromhex("3003020100") + (self.folder / "own").read_bytes()
        return b"\x30\x82" + len(body).to_bytes(2, "big") + body

    def app(self) -> FastAPI:
        """The authority over HTTP (RFC 3161, section 3.4)."""
        app = FastAPI()

        @app.post("/tsr")
        async def tsr(request: Request) -> Response:
            assert request.headers["content-type"] == "application/timestamp-query"
            body = await request.body()
            self.asked.append(body)
            if self.mode == "away":
                return Response("busy", 503)
            if self.mode == "html":
                return Response("<html>", media_type="text/html")
            if self.mode == "again":
                return Response(self.given[-1])
            if self.mode == "other":
                body = body[:24] + bytes(32) + body[56:]
            if self.mode == "refuse":
                body = body[:15] + b"\x7f" + body[16:]  # a hash algorithm that is not known
            self.given.append(self.stamp(body))
            return Response(self.given[-1], media_type="application/timestamp-reply")

        return app


def _openssl(folder: Path, *arguments: str) -> None:
    subprocess.run([str(shutil.which("openssl")), *arguments], cwd=folder, capture_output=True, check=True)


def _certificate(name: str, issuer: Any, purpose: Any, ends_in: timedelta) -> tuple[Any, x509.Certificate]:
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name_of_subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(name_of_subject)
        .issuer_name(issuer[1].subject if issuer else name_of_subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=60))
        .not_valid_after(now + ends_in)
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
    )
    if purpose is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([purpose]), critical=True)
    return key, builder.sign(issuer[0] if issuer else key, hashes.SHA256())
