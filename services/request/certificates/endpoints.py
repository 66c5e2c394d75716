"""/v1/tickets/{id}/certificate: the newest certificate of a ticket as JSON, PDF or CSV, or a bundle for an auditor."""

import base64
import json
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.api.preconditions import etag
from services.request.audit_log.dependencies import LogReaderDep
from services.request.audit_log.reader import LogReader, encode_path
from services.request.certificates import export, pdf
from services.request.certificates.pdf import FOLDER, Reader
from services.request.certificates.responses import CertificateResponse
from services.request.context import AppContext
from services.request.documents.language import DEFAULT, LANGUAGES
from services.request.documents.language import language as load_language
from services.request.documents.signature import signed
from shared.db.models.erasers import EraserVersion
from shared.db.models.tickets import Ticket
from shared.db.models.transparency import Certificate, LogCheckpoint, LogLeaf
from shared.db.repositories import audit_log, certificates, tickets
from shared.db.session import transaction
from shared.errors import NotFound

router = APIRouter(tags=["certificates"])
Format = Literal["json", "pdf", "csv", "bundle"]
MEDIA_TYPES: Final[dict[Format, str]] = {
    "json": "application/json",
    "pdf": "application/pdf",
    "csv": "text/csv",
    "bundle": "application/zip",
}
DESCRIBED: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "model": CertificateResponse,
        "content": {media_type: {} for media_type in MEDIA_TYPES.values()},
        "description": "The newest certificate of the ticket",
    }
}


@router.get("/v1/tickets/{ticket_id}/certificate", response_class=Response, responses=DESCRIBED)
def certificate(
    ticket_id: str,
    context: ContextDep,
    principal: PrincipalDep,
    log_reader: LogReaderDep,
    request: Request,
    format: Annotated[Format, Query(description="`json` is signed, the others are made from it.")] = "json",
    language: Annotated[
        Literal["en", "de"] | None, Query(description="Of the PDF; the first of the ticket's where not given.")
    ] = None,
) -> Response:
    """The newest certificate of the ticket: a DSSE envelope, signed. 404 before the ticket was completed."""
    issued: dict[str, Any] | None = None
    timestamps: list[dict[str, Any]] = []
    with transaction(context.database) as session:
        ticket = tickets.get_ticket(session, principal.tenant_id, ticket_id)
        newest = certificates.newest_certificate(session, ticket.id)
        if newest is None:
            raise NotFound(f"{ticket.id} has no certificate: it is issued when a ticket is completed.")
        statement = json.loads(base64.b64decode(newest.envelope["payload"]))
        reader = _reader(context, ticket, language)
        version = session.get(EraserVersion, newest.version_id) if newest.version_id else None
        if format == "bundle":
            issued = _issuing_proof(session, log_reader, newest)
            timestamps = _timestamps(session, log_reader, newest)
    ending = "zip" if format == "bundle" else format
    headers = {"ETag": etag(newest.number)}
    if format == "json":
        return JSONResponse(newest.envelope, headers=headers)
    headers["Content-Disposition"] = f'attachment; filename="{ticket.id}-{newest.number}.{ending}"'
    content: bytes | str
    if format == "pdf":
        content = signed(pdf.as_pdf(statement, reader), request.app.state.pdf_signer)
    elif format == "csv":
        content = export.as_csv(statement)
    else:
        keys = request.app.state.public_keys
        manifest = version.envelope if version else None
        signer = request.app.state.pdf_signer
        content = export.bundle(newest.envelope, statement, issued, manifest, keys, timestamps, reader, signer)
    return Response(content, headers=headers, media_type=MEDIA_TYPES[format])


def _reader(context: AppContext, ticket: Ticket, wanted: str | None) -> Reader:
    """For whom the PDF is made: by default in the first language of the ticket that there is."""
    code = wanted or next((code for code in ticket.languages if code in LANGUAGES), DEFAULT)
    return Reader(load_language(code, FOLDER / "languages"), context.controller.staff_names, ticket.external_ref)


def _timestamps(session: Session, log_reader: LogReader, newest: Certificate) -> list[dict[str, Any]]:
    """The first time-stamp that covers the certificate's leaf, and the newest one.

    The first one proves since when at the latest the certificate exists.
    """
    leaf = _leaf(session, newest)
    if leaf is None or leaf.position is None:
        return []
    certified_size = json.loads(base64.b64decode(newest.envelope["payload"]))["predicate"]["log"]["size"]
    candidates = (*audit_log.timestamps(session, leaf.position, 1), audit_log.newest_timestamp(session))
    by_size = {timestamp.size: timestamp for timestamp in candidates if timestamp}
    return [
        {
            "checkpoint": session.get_one(LogCheckpoint, size).note,
            "token": base64.b64encode(timestamp.token).decode(),
            "consistency": encode_path(log_reader.consistency(session, certified_size, size)),
            "issued": log_reader.entry(session, leaf, size).as_json(),
        }
        for size, timestamp in by_size.items()
        if size > leaf.position
    ]


def _leaf(session: Session, newest: Certificate) -> LogLeaf | None:
    """The leaf of the log that says that the certificate was issued."""
    event = "issued" if newest.status == "in_force" else "suspended"
    return audit_log.newest_leaf(session, f"certificate.{event}", newest.ticket_id)


def _issuing_proof(session: Session, log_reader: LogReader, newest: Certificate) -> dict[str, Any] | None:
    """The proof that the issuing is in the log; None for the second until the sequencer has run."""
    leaf = _leaf(session, newest)
    checkpoint = audit_log.newest_checkpoint(session)
    if leaf is None or leaf.position is None or checkpoint is None or leaf.position >= checkpoint.size:
        return None
    return log_reader.entry(session, leaf, checkpoint.size).as_json() | {"checkpoint": checkpoint.note}
