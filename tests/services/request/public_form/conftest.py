"""The public form over the test's own service, and a browser of somebody who fills it in."""

import email
import re
from collections.abc import Callable
from dataclasses import replace
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any, Final

import pytest
from fastapi.testclient import TestClient

from services.request.app import build
from services.request.public_form import pages
from services.request.public_form.jobs import FormMailer
from services.request.public_form.mail import FolderSender
from shared.core.config import FormSettings
from shared.domain.photos import read_data_url
from tests.support.api import People
from tests.support.console import Browser, HtmlPage
from tests.support.pictures import png

START: Final = "/request"
MARA: Final = "mara@example.com"


class PublicForm:
    """The form, its mails and its settings."""

    def __init__(self, people: People, folder: Path, **settings: Any) -> None:
        self.settings = FormSettings(enabled=True, url="https://forget.example.org", **settings)
        self.people = replace(people, app=TestClient(build(people.context, form=self.settings)))
        self.folder = folder
        self.mailer = FormMailer(people.control, self.settings, FolderSender(folder), "Lacuna <no-reply@example.org>")

    def browser(self, **headers: str) -> Browser:
        """A browser without an account."""
        return Browser(self.people, **headers)

    def mails(self) -> list[EmailMessage]:
        """Send what is due; all mails so far, the newest last."""
        self.mailer.run()
        files = sorted(self.folder.glob("*.eml"), key=lambda file: file.stat().st_mtime_ns)
        return [email.message_from_bytes(file.read_bytes(), policy=default) for file in files]

    def code(self) -> str:
        """The code in the newest mail."""
        found = re.search(r"\d{4} \d{4}", text_of(self.mails()[-1]))
        assert found
        return found[0]

    def begun(self, browser: Browser, address: str = MARA) -> HtmlPage:
        """The page of a form whose address is typed."""
        return browser.send(browser.open(START), START, email=address)

    def proved(self, browser: Browser, address: str = MARA) -> HtmlPage:
        """The page that is filled in, after the code."""
        page = self.begun(browser, address)
        return browser.send(page, f"{page.url}/code", code=self.code())

    def filed(self, browser: Browser, address: str = MARA, files: Any = None, **fields: Any) -> HtmlPage:
        """The page after the request was sent."""
        page = self.proved(browser, address)
        typed = {"name": ["Mara Lindqvist", "", ""], "about": ["employer", ""], "fact": ["Marble & Finch", ""]}
        return browser.send(page, f"{page.url}/file", files, **(typed | fields))

    def tickets(self) -> list[dict[str, Any]]:
        """All tickets, the newest first."""
        items: list[dict[str, Any]] = self.people["olivia"].get("/v1/tickets").json()["items"]
        return items


def text_of(mail: EmailMessage) -> str:
    """What is written in a mail."""
    return str(mail.get_content())


def photo(content: bytes | None = None) -> tuple[str, tuple[str, bytes, str]]:
    """A photograph as a browser sends it."""
    return ("photos", ("mara.png", read_data_url(png()) if content is None else content, "image/png"))


@pytest.fixture
def open_form(people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., PublicForm]:
    """A function that opens the form with these settings; its answers do not wait for a whole second."""
    monkeypatch.setattr(pages, "STEP_S", 0.0)

    def opened(**settings: Any) -> PublicForm:
        return PublicForm(people, tmp_path / "mails", **settings)

    return opened


@pytest.fixture
def form(open_form: Callable[..., PublicForm]) -> PublicForm:
    """The form with its usual settings."""
    return open_form()
