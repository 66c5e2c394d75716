"""Pages from templates, with the headers that keep them safe. Knows no feature.

The policy allows scripts, styles and forms of this service alone, and nothing inline; no page may be framed or kept.
"""

import hashlib
from collections.abc import Mapping
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from fastapi.responses import HTMLResponse
from jinja2 import Environment, pass_context
from jinja2.runtime import Context
from markupsafe import Markup

from services.request.console import words
from services.request.documents.language import LANGUAGES, Language
from services.request.documents.templates import open_templates

FOLDER: Final = Path(__file__).parent
STATIC: Final = "/console/static"
SECURITY_HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",  # with no-referrer a form would be sent with the origin `null`
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}


def render(language: Language, zone: str, template: str, status_code: int = 200, **values: Any) -> HTMLResponse:
    """The page made from `template`; moments are shown on the clocks of `zone`."""
    shown = {"language": language, "languages": LANGUAGES, "zone": zone, "words": words} | values
    return HTMLResponse(_environment(language).get_template(template).render(shown), status_code, SECURITY_HEADERS)


@lru_cache
def _environment(language: Language) -> Environment:
    environment = open_templates(FOLDER / "templates", language)
    environment.filters |= {
        "moment": _moment,
        "day": language.day,
        "number": language.number,
        "percent": language.percent,
        "instant": datetime.fromisoformat,
        "label": lambda code: language.gettext(words.label(code)),
    }
    environment.globals["static"] = static_url
    return environment


@pass_context
def _moment(context: Context, value: datetime | date | None) -> Markup | str:
    """A moment as a `time` element; a dash where there is none."""
    if value is None:
        return "–"
    language: Language = context["language"]
    if not isinstance(value, datetime):
        return Markup('<time datetime="{}">{}</time>').format(value.isoformat(), language.day(value))
    text = language.moment(value, context["zone"])
    return Markup('<time datetime="{}">{}</time>').format(value.isoformat(timespec="seconds"), text)


@lru_cache
def static_url(name: str) -> str:
    """The address of a static file. It names the content, so that a browser may keep the file for good."""
    digest = hashlib.sha256((FOLDER / "static" / name).read_bytes()).hexdigest()[:12]
    return f"{STATIC}/{name}?v={digest}"
