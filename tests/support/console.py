"""A browser without a window: pages of the console, and forms that are sent as a browser sends them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, cast

from fastapi import FastAPI
from fastapi.testclient import TestClient

from tests.support.api import People

ADDRESS = "http://127.0.0.1:8600"
VOID = ("input", "img", "link", "meta", "br", "hr")
Fields = Mapping[str, str | list[str]]


@dataclass
class HtmlForm:
    """A form of a page: where it is sent, and what it holds before anybody types."""

    method: str
    action: str
    fields: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class HtmlPage:
    """A page as it was answered."""

    status: int
    url: str
    text: str
    headers: Mapping[str, str]
    forms: list[HtmlForm]
    links: list[str]
    words: str  # what is read, without markup

    def form(self, action: str) -> HtmlForm:
        """The form that is sent to `action`. Raises LookupError where the page has none."""
        for form in self.forms:
            if form.action == action and form.method == "post":
                return form
        raise LookupError(f"no form to {action}, only to {[form.action for form in self.forms]}")

    def offers(self, action: str) -> bool:
        """Whether a form of the page is sent to `action`."""
        return any(form.action == action for form in self.forms)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.forms: list[HtmlForm] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self._by_id: dict[str, HtmlForm] = {}
        self._elsewhere: list[tuple[str, str, str]] = []  # hidden fields outside their form: its id, name and value
        self._open: HtmlForm | None = None
        self._select: str | None = None
        self._area: str | None = None

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attributes}
        if tag == "form":
            self._open = HtmlForm(values.get("method", "get"), values.get("action", ""))
            self.forms.append(self._open)
            self._by_id[values.get("id", "")] = self._open
        elif tag == "a" and "href" in values:
            self.links.append(values["href"])
        elif tag == "select":
            self._select = values.get("name")
        elif tag == "textarea" and self._open is not None:
            self._open.fields.setdefault(values["name"], [""])
        elif tag == "option" and self._open is not None and self._select:
            if "selected" in values or self._select not in self._open.fields:
                self._open.fields[self._select] = [values.get("value", "")]
        elif tag == "input" and values.get("type") == "hidden" and "form" in values:
            self._elsewhere.append((values["form"], values["name"], values.get("value", "")))
        elif tag == "input" and self._open is not None and "name" in values:
            kind = values.get("type", "text")
            if kind == "file" or (kind in ("checkbox", "radio") and "checked" not in values):
                return
            blank = "on" if kind in ("checkbox", "radio") else ""
            self._open.fields.setdefault(values["name"], []).append(values.get("value", blank))

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._open = None
        elif tag == "select":
            self._select = None

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    def close(self) -> None:
        """Give each form its fields that stand elsewhere."""
        super().close()
        for form, name, value in self._elsewhere:
            self._by_id[form].fields.setdefault(name, []).append(value)


class Browser:
    """One person's browser, with its cookies."""

    def __init__(self, people: People, **headers: str) -> None:
        self.people = people
        self.client = TestClient(cast(FastAPI, people.app.app), base_url=ADDRESS, raise_server_exceptions=False)
        self.client.headers.update(headers)

    def sign_in(self, name: str) -> "Browser":
        """Sign in with the key of `name`; returns the browser."""
        page = self.open("/console/sign-in")
        answer = self.send(page, "/console/sign-in", key=self.people.keys[name])
        assert answer.status == 200, answer.text
        assert answer.url != "/console/sign-in", answer.words
        return self

    def open(self, path: str, **headers: str) -> HtmlPage:
        """Open a page, and follow where it leads."""
        return self._page(self.client.get(path, headers=headers, follow_redirects=True))

    def send(self, page: HtmlPage, action: str, files: Any = None, **fields: str | list[str]) -> HtmlPage:
        """Send the form of `page` that leads to `action`, with `fields` filled in, as a browser does."""
        values = page.form(action).fields | {name: [v] if isinstance(v, str) else v for name, v in fields.items()}
        return self.post(action, values, files)

    def post(self, action: str, values: Fields, files: Any = None, **headers: str) -> HtmlPage:
        """Send a form from this origin, and follow where it leads."""
        sent = {"Origin": ADDRESS, "Sec-Fetch-Site": "same-origin"} | headers
        answer = self.client.post(action, data=dict(values), files=files, headers=sent, follow_redirects=True)
        return self._page(answer)

    def _page(self, answer: Any) -> HtmlPage:
        reader = _Reader()
        is_page = answer.headers.get("content-type", "").startswith("text/html")
        reader.feed(answer.text if is_page else "")
        reader.close()
        return HtmlPage(
            answer.status_code,
            answer.url.raw_path.decode(),
            answer.text if is_page else "",
            answer.headers,
            reader.forms,
            reader.links,
            " ".join(" ".join(reader.words).split()),
        )
