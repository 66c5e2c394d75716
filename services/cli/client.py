"""The doors of a stack as a command sees them: one HTTP client that turns problems into sentences."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shared.errors import BadInput, LacunaError, Unavailable


class ApiError(LacunaError):
    """The service said no. `problem` is its RFC 9457 body."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or f"HTTP {status}"))
        self.http_status, self.body = status, problem


class Client:
    """One service, one key. Safe to use from several threads. A command that asks once keeps no connection."""

    def __init__(self, url: str, key: str = "", *, keep: bool = True) -> None:
        import httpx  # noqa: PLC0415 - a tenth of a second that a command which asks nobody does not spend

        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx.Limits() if keep else httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(base_url=url, headers=headers, timeout=120, trust_env=False, limits=limits)
        self._url, self._failure = url, httpx.HTTPError
        self.seen: dict[str, str] = {}  # headers of the last answer

    def get(self, path: str, **params: Any) -> Any:
        """The JSON answer; raises ApiError or Unavailable."""
        given = {name: value for name, value in params.items() if value is not None}
        return self._ask("GET", path, params=given)

    def post(self, path: str, body: Any) -> Any:
        """The JSON answer; raises ApiError or Unavailable."""
        return self._ask("POST", path, json=body)

    def send(self, path: str, content: bytes, kind: str) -> Any:
        """POST of a file; raises ApiError or Unavailable."""
        return self._ask("POST", path, content=content, headers={"Content-Type": kind})

    def patch(self, path: str, body: Any) -> Any:
        """PATCH a thing, based on its present ETag; raises ApiError or Unavailable."""
        self.get(path)
        return self._ask("PATCH", path, json=body, headers={"If-Match": self.seen.get("etag", "")})

    def change(self, path: str, body: Any, seen: str = "") -> Any:
        """POST the change `<thing>/<verb>`, based on the present ETag of the thing, or of what is at `seen`.

        Raises ApiError or Unavailable.
        """
        self.get(seen or path.rpartition("/")[0])
        return self._ask("POST", path, json=body, headers={"If-Match": self.seen.get("etag", "")})

    def download(self, path: str, **params: Any) -> bytes:
        """The bytes of the answer; raises ApiError or Unavailable."""
        try:
            response = self._http.get(path, params=params)
        except self._failure as exc:
            raise Unavailable(f"Nothing answers at {self._url}; is the stack up (`lacuna up`)?") from exc
        self.seen = dict(response.headers)
        if response.is_error:
            raise ApiError(response.status_code, response.json())
        return response.content

    def close(self) -> None:
        """Give the connections back."""
        self._http.close()

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        try:
            response = self._http.request(method, path, **more)
        except self._failure as exc:
            raise Unavailable(f"Nothing answers at {self._url}; is the stack up (`lacuna up`)?") from exc
        self.seen = dict(response.headers)
        try:
            body = response.json()
        except json.JSONDecodeError as exc:
            raise Unavailable(f"{self._url} answered something that is not ours ({response.status_code}).") from exc
        if response.is_error:
            raise ApiError(response.status_code, body)
        return body


def request_client(data: Path, who: str, *, keep: bool = False) -> Client:
    """The officer's API of the stack over `data`, as `who`."""
    return Client(os.environ.get("LACUNA_URL") or _stack(data)["request_url"], _key(data, who), keep=keep)


def inference_client(data: Path, who: str) -> Client:
    """The inference service of the stack over `data`, as `who`."""
    return Client(os.environ.get("LACUNA_INFERENCE_URL") or _stack(data)["inference_url"], _key(data, who), keep=False)


def _stack(data: Path) -> dict[str, str]:
    path = data / "stack.json"
    if not path.is_file():
        raise Unavailable(f"No stack is running over {data}: start one with `lacuna up`, or set LACUNA_URL.")
    found: dict[str, str] = json.loads(path.read_text())
    return found


def _key(data: Path, who: str) -> str:
    if key := os.environ.get("LACUNA_KEY"):
        return key
    path = data / "keys.json"
    keys = json.loads(path.read_text()) if path.is_file() else {}
    if who not in keys:
        known = f"; there are {', '.join(sorted(keys))}" if keys else ""
        raise BadInput(f"There is no key of {who} in {path}{known}. Set LACUNA_KEY, or choose with --as.")
    return str(keys[who])
