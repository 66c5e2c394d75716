"""Makes an empty database usable: tenant, model, keys and the order for version 0.

Start: `python -m services.request.bootstrap`.

May be run at every start: what exists is left alone. Keys are those of LACUNA_FIRST_KEYS, or are drawn and shown once,
in `<data>/keys.json` (mode 0600).
"""

import hashlib
import json
import os
import secrets
import uuid
from collections.abc import Mapping
from pathlib import Path

from sqlalchemy import Engine, select

from shared.core.clock import utc_now
from shared.core.config import load_settings, read_pairs
from shared.db.models.operations import Outbox
from shared.db.models.refits import RefitRun
from shared.db.models.tenancy import ApiKey, Model, Tenant
from shared.db.repositories import refits
from shared.db.session import make_engine, transaction
from shared.domain.accounts import DEFAULT_TENANT, INITIAL_ACCOUNTS


def bootstrap(
    database: Engine, model_id: str, source: str, keys_file: Path, given: Mapping[str, str] | None = None
) -> None:
    """See above; `given` are keys by owner."""
    given = given or {}
    with transaction(database) as session:
        if session.get(Tenant, DEFAULT_TENANT) is None:
            session.add(Tenant(id=DEFAULT_TENANT, created_at=utc_now()))
            session.flush()
        if session.get(Model, model_id) is None:
            session.add(Model(id=model_id, tenant_id=DEFAULT_TENANT, source=source, created_at=utc_now()))
            session.flush()
        known = set(session.scalars(select(ApiKey.owner).where(ApiKey.tenant_id == DEFAULT_TENANT)))
        fresh = {
            owner: given.get(owner) or f"lk_{secrets.token_urlsafe(24)}"
            for owner in INITIAL_ACCOUNTS
            if owner not in known
        }
        for owner, key in fresh.items():
            session.add(
                ApiKey(
                    id=uuid.uuid4(),
                    tenant_id=DEFAULT_TENANT,
                    owner=owner,
                    key_sha256=hashlib.sha256(key.encode()).hexdigest(),
                    roles=list(INITIAL_ACCOUNTS[owner]),
                    created_at=utc_now(),
                )
            )
        drawn = {owner: key for owner, key in fresh.items() if owner not in given}
        if drawn:
            _write(keys_file, drawn)
        ordered = session.scalar(select(Outbox.id).where(Outbox.kwargs["kind"].astext == "initial")) or session.scalar(
            select(RefitRun.id).where(RefitRun.model_id == model_id)
        )
        if ordered is None:
            refits.order_refit(session, model_id, "initial")


def _write(path: Path, keys: dict[str, str]) -> None:
    old = json.loads(path.read_text()) if path.is_file() else {}
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(old | keys, file, indent=1)


def main() -> None:
    """The command."""
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
