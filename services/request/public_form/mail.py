"""Sends mails: by SMTP with TLS, or into a folder for tests. A mail is text, to one address."""

import smtplib
import ssl
import uuid
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from pathlib import Path
from typing import Final, Protocol
from urllib.parse import unquote, urlsplit

from shared.core.config import MailSettings
from shared.errors import BadInput, Unavailable

TIMEOUT_S: Final = 20.0
PORTS: Final = {"smtp": 587, "smtps": 465}
URLS: Final = "LACUNA_MAIL_URL has to be smtps://user:password@host:465, smtp://host:587 or file:/folder."


class MailSender(Protocol):
    """Something that mails can be given to."""

    def send(self, mail: EmailMessage) -> None:
        """Send it. Raises Unavailable, which does not say to whom."""


@dataclass(frozen=True)
class SmtpSender:
    """A mail server: `smtps` begins with TLS, `smtp` changes to it (STARTTLS). Nothing is sent without TLS."""

    host: str
    port: int
    user: str
    password: str
    at_once: bool  # TLS from the first byte

    def send(self, mail: EmailMessage) -> None:
        """Send it; the certificate of the server is verified."""
        secure = ssl.create_default_context()
        try:
            if self.at_once:
                with smtplib.SMTP_SSL(self.host, self.port, timeout=TIMEOUT_S, context=secure) as server:
                    self._deliver(server, mail)
            else:
                with smtplib.SMTP(self.host, self.port, timeout=TIMEOUT_S) as server:
                    server.starttls(context=secure)
                    self._deliver(server, mail)
        except (smtplib.SMTPException, OSError) as exc:
            raise Unavailable(f"The mail server did not take a mail ({type(exc).__name__}).") from exc

    def _deliver(self, server: smtplib.SMTP, mail: EmailMessage) -> None:
        if self.user:
            server.login(self.user, self.password)
        server.send_message(mail)


@dataclass(frozen=True)
class FolderSender:
    """A folder in which each mail becomes a file, for tests and for trying it."""

    folder: Path

    def send(self, mail: EmailMessage) -> None:
        """Write it."""
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / f"{uuid.uuid4()}.eml").write_bytes(mail.as_bytes())
        except OSError as exc:
            raise Unavailable(f"The folder of mails cannot be written ({exc.strerror}).") from exc


def open_sender(settings: MailSettings) -> MailSender:
    """The sender that the settings name. Raises BadInput, which does not repeat the password."""
    try:
        parts = urlsplit(settings.url)
        port = parts.port
    except ValueError as exc:
        raise BadInput(URLS) from exc
    if parts.scheme == "file" and parts.path:
        return FolderSender(Path(parts.path))
    if parts.scheme not in PORTS or not parts.hostname:
        raise BadInput(URLS)
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return SmtpSender(parts.hostname, port or PORTS[parts.scheme], user, password, parts.scheme == "smtps")


def compose(sender: str, to: str, subject: str, text: str) -> EmailMessage:
    """A mail in UTF-8. `to` was checked before: a header cannot be broken out of."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, to, subject
    mail["Date"], mail["Message-ID"] = formatdate(), make_msgid(domain=sender.rpartition("@")[2].strip("> "))
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody on holiday answers
    mail.set_content(text)
    return mail
