"""Prepares an empty database: tenant, model, API keys, and the order of version 0, again where it came to nothing.

Start: `python -m services.request.bootstrap`. It may be run at every start, because it leaves alone what exists. API
keys come from LACUNA_FIRST_KEYS; the others are drawn and written once to `<data>/keys.json` (mode 0600).
"""

import hashlib
import json
import os
import secrets
import uuid
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Engine, select
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.core.config import load_settings, read_pairs
from shared.db.models.tenancy import ApiKey, Model, Tenant
from shared.db.repositories import refits
from shared.db.session import make_engine, transaction
from shared.domain.accounts import DEFAULT_TENANT, INITIAL_ACCOUNTS


def bootstrap(
    database: Engine, model_id: str, source: str, keys_file: Path, given_keys: Mapping[str, str] | None = None
) -> None:
    """Create what is missing. `given_keys` are API keys by account name; drawn ones are written to `keys_file`."""
    given_keys = given_keys or {}
    with transaction(database) as session:
        if session.get(Tenant, DEFAULT_TENANT) is None:
            session.add(Tenant(id=DEFAULT_TENANT, created_at=utc_now()))
            session.flush()
        if session.get(Model, model_id) is None:
            session.add(Model(id=model_id, tenant_id=DEFAULT_TENANT, source=source, created_at=utc_now()))
            session.flush()
        drawn_keys = _create_keys(session, given_keys)
        if drawn_keys:
            _write_keys(keys_file, drawn_keys)
        if not refits.has_version_or_order(session, model_id):
            refits.order_refit(session, model_id, "initial")


def _create_keys(session: Session, given_keys: Mapping[str, str]) -> dict[str, str]:
    """Give every first account that has no key a key. Returns the drawn keys by account name."""
    owners = set(session.scalars(select(ApiKey.owner).where(ApiKey.tenant_id == DEFAULT_TENANT)))
    drawn_keys = {}
    for owner, roles in INITIAL_ACCOUNTS.items():
        if owner in owners:
            continue
        key = given_keys.get(owner) or f"lk_{secrets.token_urlsafe(24)}"
        if owner not in given_keys:
            drawn_keys[owner] = key
        session.add(
            ApiKey(
                id=uuid.uuid4(),
                tenant_id=DEFAULT_TENANT,
                owner=owner,
                key_sha256=hashlib.sha256(key.encode()).hexdigest(),
                roles=list(roles),
                created_at=utc_now(),
            )
        )
    return drawn_keys


def _write_keys(path: Path, keys: dict[str, str]) -> None:
    old = json.loads(path.read_text()) if path.is_file() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(old | keys, file, indent=1)


def main() -> None:
    """Prepare the database that the settings name."""
    settings = load_settings()
    settings.need("database_url")
    bootstrap(
        make_engine(settings.database.url, settings.database.idle_s),
        settings.model.id,
        settings.model.source,
        settings.data / "keys.json",
        read_pairs("LACUNA_FIRST_KEYS", settings.first_keys),
    )


if __name__ == "__main__":
    main()
