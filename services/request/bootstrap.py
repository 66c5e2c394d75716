"""Prepares an empty database: tenant, model, the first people with their API keys, and the order of version 0.

The order is given again where it came to nothing. Sets up the folder of shredding keys too, where it is new.

Start: `python -m services.request.bootstrap`. It may be run at every start, because it leaves alone what exists. API
keys come from LACUNA_FIRST_KEYS; the others are drawn and written once to `<data>/keys.json` (mode 0600).
"""

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Engine, update
from sqlalchemy.orm import Session

from shared.core.clock import utc_now
from shared.core.config import load_settings, read_pairs
from shared.core.exits import ends_the_process
from shared.crypto.shredding_keys import folder_of
from shared.db.models.tenancy import Model, Tenant
from shared.db.repositories import api_keys, refits, tenants
from shared.db.repositories.tenants import FirstAccount
from shared.db.session import make_engine, transaction
from shared.db.tenants import of_tenant
from shared.domain.accounts import INITIAL_ACCOUNTS, OPERATING_TENANT
from shared.errors import BadInput


def bootstrap(
    database: Engine, model_id: str, source: str, keys_file: Path, given_keys: Mapping[str, str] | None = None
) -> None:
    """Create what is missing. `given_keys` are API keys by account name; drawn ones are written to `keys_file`.

    Raises BadInput where the model is another tenant's.
    """
    given_keys = given_keys or {}
    with transaction(database) as session:
        model = session.get(Model, model_id)
        if model is not None and model.tenant_id != OPERATING_TENANT:
            raise BadInput(f"{model_id} is the model of the tenant {model.tenant_id}: LACUNA_MODEL_ID is another one.")
    with transaction(of_tenant(database, OPERATING_TENANT)) as session:
        if session.get(Tenant, OPERATING_TENANT) is None:
            session.add(Tenant(id=OPERATING_TENANT, created_at=utc_now()))
            session.flush()
        _use_model(session, model_id, source)
        drawn_keys = _set_up(session, OPERATING_TENANT, given_keys)
        if drawn_keys:
            _write_keys(keys_file, drawn_keys)
        if not refits.has_version_or_order(session, model_id):
            refits.order_refit(session, model_id, "initial")


def _use_model(session: Session, model_id: str, source: str) -> None:
    """Make the model the one that the operating tenant has in use."""
    others = update(Model).where(Model.tenant_id == OPERATING_TENANT, Model.id != model_id, Model.in_use)
    session.execute(others.values(in_use=False))
    model = session.get(Model, model_id)
    if model is None:
        session.add(Model(id=model_id, tenant_id=OPERATING_TENANT, source=source, created_at=utc_now(), in_use=True))
    elif not model.in_use:
        model.in_use = True
    session.flush()


def _set_up(session: Session, tenant_id: str, given_keys: Mapping[str, str]) -> dict[str, str]:
    """Add the first people of a tenant that has none, each with a key. Returns the drawn keys by name."""
    tenant = session.get_one(Tenant, tenant_id, with_for_update=True)
    if tenant.set_up_at is not None:
        return {}
    drawn_keys = {name: f"lk_{secrets.token_urlsafe(24)}" for name in INITIAL_ACCOUNTS if not given_keys.get(name)}
    keys = {**given_keys, **drawn_keys}
    accounts = [FirstAccount(name, roles, api_keys.digest(keys[name])) for name, roles in INITIAL_ACCOUNTS.items()]
    tenants.set_up(session, tenant_id, accounts, "bootstrap")
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
