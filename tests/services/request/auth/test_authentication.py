"""API keys are remembered for two seconds, and only the lookup is remembered, not a permission."""

import pytest
from sqlalchemy import text

from services.request.auth.authentication import KEY_REMEMBERED_S, Authenticator
from shared.core.expiring_cache import ExpiringCache
from shared.db.session import transaction
from shared.errors import DutiesMixed, Unauthorized
from tests.support.api import People
from tests.support.databases import Databases


def test_key_revoked_by_another_process_stops_working_within_two_seconds(people: People, database: Databases) -> None:
    time_s = [1000.0]
    authenticator = Authenticator(
        database.engine("request"), None, ExpiringCache(KEY_REMEMBERED_S, 10, lambda: time_s[0])
    )
    assert authenticator.authenticate(people.keys["olivia"]).owner == "olivia"
    with transaction(database.engine("admin")) as session:
        session.execute(text("UPDATE api_key SET revoked_at = now() WHERE owner = 'olivia'"))
    time_s[0] += 1.99
    assert authenticator.authenticate(people.keys["olivia"]).owner == "olivia"
    time_s[0] += 0.01
    with pytest.raises(Unauthorized):
        authenticator.authenticate(people.keys["olivia"])
    assert KEY_REMEMBERED_S == 2.0  # docs/api.md


def test_key_with_mixed_duties_is_refused_while_it_is_remembered_too(people: People, database: Databases) -> None:
    """The database would not store such a key, or such a person; the process does not rely on that."""
    authenticator = Authenticator(database.engine("request"))
    with transaction(database.engine("admin")) as session:
        session.execute(text("ALTER TABLE api_key DROP CONSTRAINT operator_apart"))
        session.execute(text("UPDATE api_key SET roles = '{operator,approver}' WHERE owner = 'oscar'"))
        session.execute(text("ALTER TABLE person DROP CONSTRAINT person_operator_apart"))
        session.execute(text("ALTER TABLE person DISABLE TRIGGER guard"))
        session.execute(text("UPDATE person SET roles = '{operator,approver}' WHERE name = 'oscar'"))
    for _ in range(2):
        with pytest.raises(DutiesMixed):
            authenticator.authenticate(people.keys["oscar"])
