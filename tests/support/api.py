"""Test clients of the officer's API, one for each person."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, cast

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from services.request.context import AppContext

MODEL = "demo-vlm"


class ApiClient:
    """The officer's API, called with one person's key."""

    def __init__(self, client: TestClient, key: str) -> None:
        self._client, self._head = client, {"Authorization": f"Bearer {key}"}

    def get(self, path: str, **headers: str) -> Any:
        """Send a GET request."""
        return self._client.get(path, headers=self._head | headers)

    def patch(self, path: str, body: Any = None, **headers: str) -> Any:
        """Send a PATCH request with JSON, based on the present ETag unless `headers` has an If-Match."""
        if "If-Match" not in headers:
            seen = self._client.get(path, headers=self._head).headers
            headers |= {"If-Match": seen["etag"]} if "etag" in seen else {}
        return self._client.patch(path, json={} if body is None else body, headers=self._head | headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """Send a POST request with JSON; a change is based on the present ETag unless `headers` has an If-Match."""
        thing, _, verb = path.rpartition("/")
        if "If-Match" not in headers and verb and thing.count("/") == 3:
            seen = self._client.get(thing, headers=self._head).headers
            if "etag" not in seen:  # no such thing: that of the list, where it has one
                seen = self._client.get(thing.rpartition("/")[0], headers=self._head).headers
            headers |= {"If-Match": seen["etag"]} if "etag" in seen else {}
        return self._client.post(path, json={} if body is None else body, headers=self._head | headers)


@dataclass
class People:
    """The request service with the keys of its first accounts; `people["olivia"]` is Olivia's client."""

    app: TestClient
    keys: dict[str, str]
    context: AppContext
    control_database: Engine

    @property
    def control(self) -> AppContext:
        """What the jobs of the control loop work with: the same, under its own database role."""
        return replace(self.context, database=self.control_database)

    def forget_keys(self) -> None:
        """Empty the cache of API keys, as happens by itself after two seconds."""
        cast(FastAPI, self.app.app).state.authenticator.forget()

    def add(self, name: str, *roles: str, subject: dict[str, str] | None = None) -> str:
        """Add a person, whom Rosa asks for and Viktor confirms; the id."""
        body = {"name": name, "roles": roles} | ({"subject": subject} if subject else {})
        return str(self.confirmed(self["rosa"].post("/v1/people", body))["person_id"])

    def confirmed(self, asked: Any) -> Any:
        """What Viktor is answered when he confirms the grant of `asked`, the answer to Rosa's request."""
        assert asked.status_code == 202, asked.text
        confirmed = self["viktor"].post(f"/v1/grants/{asked.json()['id']}/confirm")
        assert confirmed.status_code == 200, confirmed.text
        return confirmed.json()

    def give_key(self, owner: str, *roles: str, **more: Any) -> str:
        """A key of `owner`, which Rosa asks for and Viktor confirms. Adds the person where there is none."""
        if owner not in {person["name"] for person in self["rosa"].get("/v1/people").json()["items"]}:
            self.add(owner, *roles)
        asked = self["rosa"].post("/v1/keys", {"owner": owner, "roles": roles} | more)
        return f"{asked.json()['key_part']}.{self.confirmed(asked)['key_part']}"

    def client_of(self, key: str) -> ApiClient:
        """The client of whoever holds `key`."""
        return ApiClient(self.app, key)

    def __getitem__(self, name: str) -> ApiClient:
        return ApiClient(self.app, self.keys[name])


OpenService = Callable[..., People]  # over an object store, and a key ring where it is not that of all tests
