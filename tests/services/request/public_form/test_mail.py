"""Mails of the public form: their sender, what happens when the server fails, and their translations."""

import re
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from babel.messages.pofile import read_po

from services.request.documents.catalogs import missing
from services.request.public_form import jobs
from services.request.public_form.language import FOLDER
from services.request.public_form.mail import FolderSender, SmtpSender, compose, open_sender
from services.request.public_form.messages import collect
from shared.core.clock import utc_now
from shared.core.config import MailSettings
from shared.errors import BadInput, Unavailable
from tests.services.request.public_form.conftest import PublicForm

PLACE = re.compile(r"%\(\w+\)[sd]")


def test_sender_is_read_from_one_address() -> None:
    sender = open_sender(MailSettings(url="smtps://user%40x:p%3Aw@mail.example.org", sender="a@b.cd"))
    assert sender == SmtpSender("mail.example.org", 465, "user@x", "p:w", at_once=True)
    plain = open_sender(MailSettings(url="smtp://mail.example.org:25"))
    assert plain == SmtpSender("mail.example.org", 25, "", "", at_once=False)
    assert open_sender(MailSettings(url="file:/tmp/mails")) == FolderSender(Path("/tmp/mails"))  # noqa: S108
    for wrong in ("", "mail.example.org", "http://mail.example.org", "smtp://", "smtp://h:port", "file:"):
        with pytest.raises(BadInput) as refused:
            open_sender(MailSettings(url=wrong))
        assert "LACUNA_MAIL_URL" in refused.value.detail


def test_server_without_tls_gets_nothing() -> None:
    """The server does not offer STARTTLS: no mail and no password is sent."""
    heard: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rb") as lines:
            connection.sendall(b"220 here\r\n")
            for line in lines:
                heard.append(line)
                connection.sendall(b"221 bye\r\n" if line.startswith(b"QUIT") else b"250 here\r\n")

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    sender = SmtpSender("127.0.0.1", listener.getsockname()[1], "user", "secret", at_once=False)
    with pytest.raises(Unavailable):
        sender.send(compose("a@b.cd", "c@d.ef", "Subject", "Text"))
    thread.join(timeout=10)
    listener.close()
    assert b"MAIL" not in b"".join(heard).upper()
    assert b"AUTH" not in b"".join(heard).upper()


def test_header_cannot_be_broken_out_of() -> None:
    with pytest.raises(ValueError, match="linefeed"):
        compose("a@b.cd", "c@d.ef\nBcc: x@y.zz", "Subject", "Text")


class Failing:
    """A mail server that is away."""

    def __init__(self) -> None:
        self.tried = 0

    def send(self, mail: EmailMessage) -> None:
        """Never."""
        self.tried += 1
        raise Unavailable("The mail server did not take a mail.")


def test_mail_is_tried_again_and_given_up(form: PublicForm, monkeypatch: pytest.MonkeyPatch) -> None:
    later = utc_now()
    monkeypatch.setattr(jobs, "utc_now", lambda: later)
    failing = Failing()
    form.mailer.mails = failing
    form.begun(form.browser())
    for _ in range(jobs.MOST_ATTEMPTS):
        later += jobs.PAUSE * jobs.MOST_ATTEMPTS
        with pytest.raises(Unavailable):
            form.mailer.run()
        form.mailer.run()  # the next attempt is not due yet
    later += jobs.CLAIM
    form.mailer.run()
    assert failing.tried == jobs.MOST_ATTEMPTS


class Slow:
    """A mail server that takes longer than the mails that wait may be claimed; calls `meanwhile` during the first."""

    def __init__(self) -> None:
        self.now = utc_now()
        self.sent: list[str] = []
        self.meanwhile: Callable[[], object] = lambda: None

    def send(self, mail: EmailMessage) -> None:
        """It takes three minutes."""
        self.sent.append(mail["To"])
        self.now += timedelta(minutes=3)
        meanwhile, self.meanwhile = self.meanwhile, lambda: None
        meanwhile()


def test_second_control_loop_sends_no_mail_again(form: PublicForm, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one begins while the first one waits for the server: it sends those that the first has not begun."""
    addresses = [f"person-{number}@example.com" for number in range(3)]
    for address in addresses:
        form.begun(form.browser(), address)
    slow = Slow()
    monkeypatch.setattr(jobs, "utc_now", lambda: slow.now)
    slow.meanwhile = replace(form.mailer, mails=slow).run
    replace(form.mailer, mails=slow).run()
    assert sorted(slow.sent) == addresses


def test_two_control_loops_at_once_send_each_mail_once(form: PublicForm) -> None:
    addresses = [f"person-{number}@example.com" for number in range(8)]
    for address in addresses:
        form.begun(form.browser(), address)
    slow = Slow()
    loops = [threading.Thread(target=replace(form.mailer, mails=slow).run) for _ in range(2)]
    for loop in loops:
        loop.start()
    for loop in loops:
        loop.join()
    assert sorted(slow.sent) == addresses


def test_mail_of_a_loop_that_died_is_sent_by_another(form: PublicForm, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = Slow()
    monkeypatch.setattr(jobs, "utc_now", lambda: slow.now)
    form.begun(form.browser())
    form.mailer._claim()
    other = replace(form.mailer, mails=slow)
    other.run()
    assert slow.sent == []
    slow.now += jobs.CLAIM
    other.run()
    assert len(slow.sent) == 1


def test_every_sentence_is_translated_with_the_same_places_and_none_is_left_over() -> None:
    for path in sorted(FOLDER.glob("*.po")):
        assert missing(path, collect()) == [], "python -m services.request.public_form.messages adds them to the file"
        with path.open("rb") as file:
            catalog = read_po(file, locale=path.stem)
        known = {message.id if isinstance(message.id, str) else message.id[0] for message in collect()}
        for entry in catalog:
            if not entry.id:
                continue
            ids = (entry.id,) if isinstance(entry.id, str) else entry.id
            assert ids[0] in known, f"nothing says {ids[0]!r} any more"
            texts = (entry.string,) if isinstance(entry.string, str) else entry.string or ()
            for translated in texts[-1:]:
                assert set(PLACE.findall(translated)) == set(PLACE.findall(ids[-1])), ids
