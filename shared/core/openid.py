"""What both sides of OpenID Connect ask of a provider: addresses that are safe, and documents that are bounded."""

import time
from typing import Any, Final
from urllib.parse import urlsplit

import httpx

from shared.errors import BadInput

LOOPBACK: Final = ("127.0.0.1", "::1", "localhost")
FETCH_S: Final = 8.0  # of one attempt, however slowly the provider goes on
STEP_S: Final = 3.0
MOST_DOCUMENT: Final = 256 * 1024


def read_document(http: httpx.Client, method: str, url: str, **request: Any) -> Any:
    """The JSON that the provider answers. Raises httpx.HTTPError or ValueError: late, too large, or not JSON."""
    answer = read_answer(http, method, url, **request)
    answer.raise_for_status()
    return answer.json()


def read_answer(http: httpx.Client, method: str, url: str, **request: Any) -> httpx.Response:
    """The whole answer, whatever its status. Raises httpx.HTTPError or ValueError: late, or too large."""
    deadline = time.monotonic() + FETCH_S
    with http.stream(method, url, **request) as response:
        raw = b""
        for piece in response.iter_bytes():
            raw += piece
            if time.monotonic() > deadline:
                raise ValueError("a document of the OpenID provider takes too long")
            if len(raw) > MOST_DOCUMENT:
                raise ValueError("a document of the OpenID provider is too large")
    return httpx.Response(response.status_code, content=raw, request=response.request)


def is_secure(url: str) -> bool:
    """Whether the URL is HTTPS or leads to this machine."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in LOOPBACK)


def check_secure(url: str) -> str:
    """The URL itself. Raises BadInput unless it is HTTPS or leads to this machine."""
    if not is_secure(url):
        raise BadInput("The URL of the OpenID provider has to begin with https.")
    return url
