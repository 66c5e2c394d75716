"""HTTP client of the request service and the inference service; problems become sentences.

The addresses and API keys of a stack on this machine stand in its data folder; `LACUNA_URL`, `LACUNA_INFERENCE_URL` and
`LACUNA_KEY` replace them. After `lacuna login` the token of that sign-in stands in the place of a key.
"""

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from services.cli import logins
from services.cli.files import read_json_object
from shared.errors import BadInput, LacunaError, Unavailable

UNAUTHORIZED: Final = 401


class ApiError(LacunaError):
    """The service refused the request. `body` is its problem document (RFC 9457)."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        super().__init__(str(problem.get("detail") or problem.get("title") or f"HTTP {status}"))
        self.http_status, self.body = status, problem


class Client:
    """One service, used with one API key. Several threads may share it.

    Each request raises ApiError where the service refuses it, and Unavailable where no service of ours answers.
    """

    def __init__(
        self, url: str, key: str = "", *, keep_alive: bool = True, renew: Callable[[str], str | None] | None = None
    ) -> None:
        """`renew` is given a key that was refused and returns another one, with which a request is sent once more."""
        import httpx  # noqa: PLC0415 - a tenth of a second that `lacuna --help` does not spend

        self._key, self._renew = key, renew
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx.Limits() if keep_alive else httpx.Limits(max_keepalive_connections=0)
        self._http = httpx.Client(base_url=url, headers=headers, timeout=120, trust_env=False, limits=limits)
        self._url, self._http_error = url, httpx.HTTPError
        self.last_headers: dict[str, str] = {}  # of the last answer

    def get(self, path: str, **params: Any) -> Any:
        """The JSON answer; parameters that are None are left out."""
        return self._request("GET", path, params={k: v for k, v in params.items() if v is not None})

    def post(self, path: str, body: Any) -> Any:
        """POST JSON; returns the JSON answer."""
        return self._request("POST", path, json=body)

    def post_file(self, path: str, content: bytes, media_type: str) -> Any:
        """POST the content of a file; returns the JSON answer."""
        return self._request("POST", path, content=content, headers={"Content-Type": media_type})

    def patch_with_etag(self, path: str, body: Any) -> Any:
        """PATCH a resource, on condition that it is still as it is now (If-Match)."""
        self.get(path)
        return self._request("PATCH", path, json=body, headers={"If-Match": self.last_headers.get("etag", "")})

    def post_with_etag(self, path: str, body: Any, resource: str = "") -> Any:
        """POST to `<resource>/<action>`, on condition that the resource is still as it is now (If-Match).

        `resource` names the resource where it is not the path before the last slash.
        """
        self.get(resource or path.rpartition("/")[0])
        return self._request("POST", path, json=body, headers={"If-Match": self.last_headers.get("etag", "")})

    def download(self, path: str, **params: Any) -> bytes:
        """The bytes of the answer; parameters that are None are left out."""
        response = self._send("GET", path, params={k: v for k, v in params.items() if v is not None})
        if response.is_error:
            raise ApiError(response.status_code, self._json(response))
        content: bytes = response.content
        return content

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _request(self, method: str, path: str, **options: Any) -> Any:
        response = self._send(method, path, **options)
        body = self._json(response)
        if response.is_error:
            raise ApiError(response.status_code, body)
        return body

    def _send(self, method: str, path: str, **options: Any) -> Any:
        try:
            response = self._http.request(method, path, **options)
            if response.status_code == UNAUTHORIZED and self._renew and (key := self._renew(self._key)):
                self._key = key
                self._http.headers["Authorization"] = f"Bearer {key}"
                response = self._http.request(method, path, **options)
        except self._http_error as exc:
            raise Unavailable(f"No service answers at {self._url}. Is the stack running (`lacuna up`)?") from exc
        self.last_headers = dict(response.headers)
        return response

    def _json(self, response: Any) -> Any:
        try:
            return response.json()
        except json.JSONDecodeError as exc:
            raise Unavailable(
                f"The answer of {self._url} is not JSON (HTTP {response.status_code}): "
                "another service seems to listen there."
            ) from exc


def request_client(data: Path, account: str, *, keep_alive: bool = False) -> Client:
    """A client of the officer's API of the stack over `data`, with the key of `account`, or whoever is signed in."""
    url = request_url(data)
    if not os.environ.get("LACUNA_KEY") and (token := logins.access_token(url)):
        return Client(url, token, keep_alive=keep_alive, renew=lambda old: logins.access_token(url, refused=old))
    return Client(url, _api_key(data, account), keep_alive=keep_alive)


def request_url(data: Path) -> str:
    """The address of the officer's API of the stack over `data`."""
    return os.environ.get("LACUNA_URL") or str(_addresses(data)["request_url"])


def inference_client(data: Path, account: str) -> Client:
    """A client of the inference service of the stack over `data`, with the key of `account`."""
    url = os.environ.get("LACUNA_INFERENCE_URL") or _addresses(data)["inference_url"]
    return Client(url, _api_key(data, account), keep_alive=False)


def _addresses(data: Path) -> dict[str, str]:
    path = data / "stack.json"
    if not path.is_file():
        raise Unavailable(f"No stack is running over {data}. Start one with `lacuna up`, or set LACUNA_URL.")
    return read_json_object(path)


def _api_key(data: Path, account: str) -> str:
    if key := os.environ.get("LACUNA_KEY"):
        return key
    path = data / "keys.json"
    keys = read_json_object(path) if path.is_file() else {}
    if account not in keys:
        known = f" It holds keys of {', '.join(sorted(keys))}." if keys else ""
        raise BadInput(
            f"There is no key of {account} in {path}.{known} Choose an account with --as, or set LACUNA_KEY."
        )
    return str(keys[account])
