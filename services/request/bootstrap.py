"""Prepares an empty database: tenant, model, the first people with their API keys, and the order of version 0.

The order is given again where it came to nothing. Sets up the folder of shredding keys too, where it is new.

Start: `python -m services.request.bootstrap`. It may be run at every start, because it leaves alone what exists. API
keys come from LACUNA_FIRST_KEYS; the others are drawn and written once to `<data>/keys.json` (mode 0600).

The set-up of a tenant is the one moment at which nobody has to confirm that somebody is given access. It happens once,
stands in the log, and the database refuses it afterwards.
"""

import json
import os
import secrets
import uuid
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.core.config import load_settings, read_pairs
from shared.core.exits import ends_the_process
from shared.crypto.shredding_keys import folder_of
from shared.db.models.tenancy import ApiKey, Model, Person, Tenant
from shared.db.repositories import api_keys, audit_log, refits
from shared.db.session import make_engine, transaction
from shared.domain.accounts import DEFAULT_TENANT, INITIAL_ACCOUNTS
from shared.domain.person_names import check_name
from shared.text.skeletons import skeleton


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
        drawn_keys = _set_up(session, DEFAULT_TENANT, given_keys)
        if drawn_keys:
            _write_keys(keys_file, drawn_keys)
        if not refits.has_version_or_order(session, model_id):
            refits.order_refit(session, model_id, "initial")


def _set_up(session: Session, tenant_id: str, given_keys: Mapping[str, str]) -> dict[str, str]:
    """Add the first people of a tenant that has none, each with a key. Returns the drawn keys by name."""
    tenant = session.get_one(Tenant, tenant_id, with_for_update=True)
    if tenant.set_up_at is not None:
        return {}
    drawn_keys, people = {}, []
    for name, roles in INITIAL_ACCOUNTS.items():
        key = given_keys.get(name) or f"lk_{secrets.token_urlsafe(24)}"
        if name not in given_keys:
            drawn_keys[name] = key
        person = Person(
            id=uuid.uuid4(),
            tenant_id=tenant_id,
            name=check_name(name),
            skeleton=skeleton(name),
            roles=list(roles),
            created_at=utc_now(),
        )
        session.add(person)
        session.flush()
        session.add(
            ApiKey(
                id=uuid.uuid4(),
                tenant_id=tenant_id,
                owner=name,
                person_id=person.id,
                key_sha256=api_keys.digest(key),
                roles=list(roles),
                created_at=utc_now(),
            )
        )
        people.append({"owner": name, "person": str(person.id), "roles": list(roles)})
    session.flush()
    tenant.set_up_at = utc_now()
    audit_log.append_leaf(session, "bootstrap", "tenant.set_up", tenant_id, {"people": people})
    return drawn_keys


def _write_keys(path: Path, keys: dict[str, str]) -> None:
    old = json.loads(path.read_text()) if path.is_file() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(old | keys, file, indent=1)


def main() -> None:
    """Prepare the database and the folder of shredding keys that the settings name."""
    settings = load_settings()
    settings.need("database_url")
    if (folder := folder_of(settings)) is not None:
        with ends_the_process("the shredding keys cannot be kept"):
            folder.set_up()
    bootstrap(
        make_engine(settings.database.url, settings.database.idle_s),
        settings.model.id,
        settings.model.source,
        settings.data / "keys.json",
        read_pairs("LACUNA_FIRST_KEYS", settings.first_keys),
    )


if __name__ == "__main__":
    main()
