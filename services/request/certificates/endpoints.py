"""Certificates of suppression over HTTP: the newest of a ticket as JSON, PDF, CSV, or a bundle for an auditor."""

import base64
import json
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session
from starlette.responses import JSONResponse

from services.request.api.dependencies import ContextDep, PrincipalDep
from services.request.audit_log.dependencies import Book
from services.request.audit_log.reader import LogReader, shown
from services.request.certificates import export, pdf
from shared.db.models.erasers import EraserVersion
from shared.db.models.transparency import Certificate, LogCheckpoint, LogLeaf
from shared.db.repositories import audit_log, certificates, tickets
from shared.db.session import transaction
from shared.errors import NotFound

router = APIRouter(tags=["certificates"])
KINDS = {"json": "application/json", "pdf": "application/pdf", "csv": "text/csv", "bundle": "application/zip"}
Format = Literal["json", "pdf", "csv", "bundle"]


@router.get(
    "/v1/tickets/{ticket_id}/certificate",
    response_class=Response,
    responses={200: {"content": {kind: {} for kind in KINDS.values()}, "description": "The certificate that stands"}},
)
def certificate(
    ticket_id: str,
    context: ContextDep,
    principal: PrincipalDep,
    book: Book,
    request: Request,
    format: Annotated[Format, Query(description="`json` is the truth, the others are renderings.")] = "json",
) -> Response:
    """The newest certificate of the ticket: a DSSE envelope, signed. 404 before it was completed."""
    with transaction(context.database) as session:
        ticket = tickets.get_ticket(session, principal.tenant_id, ticket_id)
        held = certificates.newest_certificate(session, ticket.id)
        if held is None:
            raise NotFound(f"{ticket.id} has no certificate: it is issued when a ticket is completed.")
        statement = json.loads(base64.b64decode(held.envelope["payload"]))
        version = session.get(EraserVersion, held.version_id) if held.version_id else None
        issued, stamps = (
            (_issued(session, book, held), _stamps(session, book, held)) if format == "bundle" else (None, [])
        )
    name = f"{ticket.id}-{held.number}"
    head = {"ETag": f'"{held.number}"', "Content-Disposition": f'attachment; filename="{name}.{_ending(format)}"'}
    if format == "json":
        return JSONResponse(held.envelope, headers={"ETag": head["ETag"]})
    if format == "pdf":
        return Response(pdf.as_pdf(statement), headers=head, media_type=KINDS["pdf"])
    if format == "csv":
        return Response(export.as_csv(statement), headers=head, media_type=KINDS["csv"])
    keys = request.app.state.public_keys
    made = export.bundle(held.envelope, statement, issued, version.envelope if version else None, keys, stamps)
    return Response(made, headers=head, media_type=KINDS["bundle"])


def _stamps(session: Session, book: LogReader, held: Certificate) -> list[dict[str, Any]]:
    """The first time-stamp that covers its issuing, which says since when at the latest it exists, and the newest."""
    leaf = _leaf(session, held)
    if leaf is None or leaf.position is None:
        return []
    begin = json.loads(base64.b64decode(held.envelope["payload"]))["predicate"]["log"]["size"]
    found = {
        one.size: one
        for one in (*audit_log.timestamps(session, leaf.position, 1), audit_log.newest_timestamp(session))
        if one
    }
    return [
        {
            "checkpoint": session.get_one(LogCheckpoint, size).note,
            "token": base64.b64encode(one.token).decode(),
            "consistency": shown(book.consistency(session, begin, size)),
            "issued": book.entry(session, leaf, size).as_json(),
        }
        for size, one in found.items()
        if size > leaf.position
    ]


def _leaf(session: Session, held: Certificate) -> LogLeaf | None:
    said = "issued" if held.status == "in_force" else "suspended"
    return audit_log.newest_leaf(session, f"certificate.{said}", held.ticket_id)


def _issued(session: Session, book: LogReader, held: Certificate) -> dict[str, Any] | None:
    """The proof that its issuing is in the log; None for the second until the sequencer was there."""
    leaf = _leaf(session, held)
    signed = audit_log.newest_checkpoint(session)
    if leaf is None or leaf.position is None or signed is None or leaf.position >= signed.size:
        return None
    return book.entry(session, leaf, signed.size).as_json() | {"checkpoint": signed.note}


def _ending(format: Format) -> str:
    return "zip" if format == "bundle" else format
