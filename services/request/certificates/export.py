"""A certificate as CSV, and as a bundle with all that a check needs."""

import io
import json
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from services.request.api.csv import write_csv
from services.request.certificates.pdf import Reader, as_pdf
from services.request.documents.signature import PdfSigner, signed
from shared.transparency.certificate_verifier import ENVELOPE, ISSUED, MANIFEST, STAMPS

README: Final = """This bundle holds a certificate of suppression and all that is needed to check it.

certificate.json  the certificate: an in-toto statement, signed (DSSE, Ed25519). This is the truth.
certificate.pdf   the same for reading, with a signature of its own (PAdES) where the operator has a key for that.
certificate.csv   the same as a table, not signed.
issued.json       the leaf of the audit log that says it was issued, with its proof and the signed checkpoint.
timestamps.json   where there are any: tokens of an outside time-stamping authority (RFC 3161) on the log, with proofs.
eraser.json       the signed manifest of the eraser version that it names.
log-keys.txt      the public keys of the log, eraser-keys.txt those of erasers, as the operator gives them out.

    lacuna verify certificate BUNDLE.zip --key log-keys.txt --tsa-ca CA-OF-THE-AUTHORITY.pem

Keys that travel with what they vouch for prove nothing: compare them with those that you got by another way.
"""


def as_csv(statement: Mapping[str, Any]) -> str:
    """Two columns, field and value; a cell that a spreadsheet would run as a formula begins with an apostrophe."""
    return write_csv(("field", "value"), _flat("", statement["predicate"]))


def bundle(
    envelope: Mapping[str, Any],
    statement: Mapping[str, Any],
    issued: Mapping[str, Any] | None,
    manifest: Mapping[str, Any] | None,
    keys: tuple[str, str],
    timestamps: Sequence[Mapping[str, Any]] = (),
    reader: Reader | None = None,
    signer: PdfSigner | None = None,
) -> bytes:
    """The zip; `keys` are the public keys of the log and of erasers, `timestamps` the time-stamps that cover it.

    `signer` signs the PDF.
    """
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("README.txt", README)
        file.writestr(ENVELOPE, json.dumps(envelope, indent=1))
        file.writestr("certificate.pdf", signed(as_pdf(statement, reader), signer))
        file.writestr("certificate.csv", as_csv(statement))
        if issued is not None:
            file.writestr(ISSUED, json.dumps(issued, indent=1))
        if manifest:
            file.writestr(MANIFEST, json.dumps(manifest, indent=1))
        if timestamps:
            file.writestr(STAMPS, json.dumps(list(timestamps), indent=1))
        for name, text in zip(("log-keys.txt", "eraser-keys.txt"), keys, strict=True):
            file.writestr(name, text.replace(",", "\n") + "\n")
    return archive.getvalue()


def _flat(prefix: str, value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _flat(f"{prefix}.{name}" if prefix else str(name), inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _flat(f"{prefix}.{number}", inner)
    else:
        yield prefix, value
