"""A key that was revoked or has expired stops working in time, and the memory of keys is bounded."""

from typing import Any

import pytest
from sqlalchemy import text

from services.inference.authentication import KEY_REMEMBERED_S, MOST_REMEMBERED, ClientKeys, Rights
from shared.core.expiring_cache import ExpiringCache
from shared.db.session import transaction
from shared.errors import Forbidden, InsufficientScope, Unauthorized
from tests.services.inference.conftest import Replica
from tests.support.api import MODEL, People
from tests.support.databases import Databases
from tests.support.tenants import OTHER_MODEL, add_tenant

REVOKE = "UPDATE api_key SET revoked_at = now() WHERE owner = 'casey'"
DISABLE = "UPDATE person SET disabled_at = now() WHERE name = 'casey'"
EXPIRE = "UPDATE api_key SET expires_at = now() - interval '1 second' WHERE owner = 'casey'"


class Clock:
    """The time of the cache; `keys` is over it."""

    def __init__(self, database: Databases) -> None:
        self.time_s = 1000.0
        self.cache: ExpiringCache[Rights] = ExpiringCache(KEY_REMEMBERED_S, MOST_REMEMBERED, lambda: self.time_s)
        self.keys = ClientKeys(database.engine("inference"), MODEL, self.cache)


@pytest.fixture
def clock(database: Databases) -> Clock:
    return Clock(database)


def change_key(database: Databases, statement: str) -> None:
    with transaction(database.engine("admin")) as session:
        session.execute(text(statement))


@pytest.mark.parametrize("change", [REVOKE, EXPIRE, DISABLE], ids=["revoked", "expired", "disabled"])
def test_key_stops_working_within_five_seconds(clock: Clock, people: People, database: Databases, change: str) -> None:
    key = people.keys["casey"]
    clock.keys.check(key)
    change_key(database, change)
    clock.time_s += 4.99
    clock.keys.check(key)  # remembered: the database is not asked for every request
    clock.time_s += 0.01
    with pytest.raises(Unauthorized):
        clock.keys.check(key)
    assert KEY_REMEMBERED_S == 5.0  # docs/api.md


def test_use_of_a_revoked_key_does_not_lengthen_its_life(clock: Clock, people: People, database: Databases) -> None:
    clock.keys.check(people.keys["casey"])
    change_key(database, REVOKE)
    for _ in range(4):
        clock.time_s += 1.0
        clock.keys.check(people.keys["casey"])
    clock.time_s += 1.0
    with pytest.raises(Unauthorized):
        clock.keys.check(people.keys["casey"])


def test_key_without_a_role_of_a_client_is_refused_every_time(clock: Clock, people: People) -> None:
    for _ in range(2):
        with pytest.raises(Forbidden):
            clock.keys.check(people.keys["olivia"])


def test_key_with_scopes_is_refused_unless_one_is_to_ask_the_model(clock: Clock, people: People) -> None:
    """The finding: a key for tickets alone asked the model."""
    for _ in range(2):  # looked up, and remembered
        with pytest.raises(InsufficientScope):
            clock.keys.check(people.give_key("casey", "client", scopes=["tickets:write"]))
    clock.keys.check(people.give_key("casey", "client", scopes=["tickets:write", "model:read"]))


def test_unknown_keys_are_not_remembered(clock: Clock, people: People) -> None:
    clock.keys.check(people.keys["casey"])
    for number in range(20):
        with pytest.raises(Unauthorized):
            clock.keys.check(f"lk_{number}")
    assert len(clock.cache) == 1


def test_replica_refuses_a_revoked_key_when_its_memory_of_it_is_over(
    replica: Replica, database: Databases, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over HTTP, with the replica's own memory, whose lifetime is shortened to nothing."""
    head: dict[str, Any] = {"Authorization": f"Bearer {people.keys['casey']}"}
    assert replica.http.get("/v1/models", headers=head).status_code == 200
    change_key(database, REVOKE)
    assert replica.http.get("/v1/models", headers=head).status_code == 200
    monkeypatch.setattr(replica.context.client_keys._rights_by_digest, "now", lambda: float("inf"))
    assert replica.http.get("/v1/models", headers=head).status_code == 401


def test_replica_accepts_the_keys_of_its_models_tenant_alone(people: People, database: Databases) -> None:
    other = add_tenant(people)
    of_other = ClientKeys(database.engine("inference"), OTHER_MODEL)
    of_other.check(other.keys["client"])
    ClientKeys(database.engine("inference"), MODEL).check(people.keys["casey"])
    for keys, key in (
        (of_other, people.keys["casey"]),
        (ClientKeys(database.engine("inference"), MODEL), other.keys["client"]),
        (ClientKeys(database.engine("inference"), "no such model"), people.keys["casey"]),
    ):
        with pytest.raises(Unauthorized):
            keys.check(key)
