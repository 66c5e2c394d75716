"""The officer's API as people use it in tests."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

from fastapi import FastAPI
from fastapi.testclient import TestClient

from services.request.context import AppContext
from shared.storage.base import ObjectStore

MODEL = "demo-vlm"


class ApiClient:
    """The officer's API as one person uses it."""

    def __init__(self, client: TestClient, key: str) -> None:
        self._client, self._head = client, {"Authorization": f"Bearer {key}"}

    def get(self, path: str, **headers: str) -> Any:
        """GET."""
        return self._client.get(path, headers=self._head | headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        """PATCH of JSON."""
        if "If-Match" not in headers:
            seen = self._client.get(path, headers=self._head).headers
            headers |= {"If-Match": seen["etag"]} if "etag" in seen else {}
        return self._client.patch(path, json={} if body is None else body, headers=self._head | headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """POST of JSON; a change is based on the present ETag, unless `headers` give another If-Match."""
        thing, _, verb = path.rpartition("/")
        if "If-Match" not in headers and verb and thing.count("/") == 3:
            seen = self._client.get(thing, headers=self._head).headers
            if "etag" not in seen:  # no such thing: that of the list, where it has one
                seen = self._client.get(thing.rpartition("/")[0], headers=self._head).headers
            headers |= {"If-Match": seen["etag"]} if "etag" in seen else {}
        return self._client.post(path, json={} if body is None else body, headers=self._head | headers)


@dataclass
class People:
    """The request service with the first people's keys."""

    app: TestClient
    keys: dict[str, str]
    context: AppContext

    def forget_keys(self) -> None:
        """What two seconds do: keys are looked up in the database again."""
        cast(FastAPI, self.app.app).state.authenticator.forget()

    def __getitem__(self, name: str) -> ApiClient:
        return ApiClient(self.app, self.keys[name])


OpenService = Callable[[ObjectStore], People]
