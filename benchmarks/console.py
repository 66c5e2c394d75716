"""How long the pages of the web console take with many tickets: `python -m benchmarks.console --tickets 100000`.

Starts the backends, files one ticket over the API, and writes the others by SQL, past the triggers. Each page is asked
in this process, without a network: the time is that of the service and its database. It needs no model.
"""

import argparse
import json
import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Final

import psycopg
from fastapi.testclient import TestClient
from httpx2 import Response

from migrations.run import upgrade
from services.request.app import build
from services.request.bootstrap import bootstrap
from services.request.context import AppContext
from shared.crypto.keyring import KeyRing
from shared.crypto.shredding_keys import FolderKeys
from shared.db.roles import SERVICES, ensure_roles, service_url
from shared.db.session import make_engine
from shared.devstack.backends import load_secrets, start_backends, temporary_data
from shared.devstack.supervisor import Supervisor
from shared.storage.local import LocalStore

MODEL: Final = "demo-vlm"
# One in ten is open, as after a year of work; names are random, and a hundred tickets share one. Laws, days before the
# filing and minutes to decision and completion are spread, the last two without order: a sorted median would be cheap.
SEED: Final = """
INSERT INTO ticket (id, tenant_id, model_id, state, source, external_ref, subject_index, name_keys, name_keys_form,
    fact_index, payload_key, payload_sha256, payload_wrapped_key, photos, facts, urgent, submitted_by, submitted_at,
    received_at, last_edited_by, version, regime, clock, due_at, required_since, decided_by, decided_at, ground)
SELECT 'T-' || upper(substr(md5(n::text), 1, 8)), 'default', %(model)s,
    CASE WHEN n %% 20 = 0 THEN 'under_review' WHEN n %% 20 = 1 THEN 'approved' ELSE 'completed' END,
    CASE n %% 3 WHEN 0 THEN 'web-form' WHEN 1 THEN 'letter' ELSE 'phone' END, 'case-' || n,
    ARRAY[md5((n / 100)::text)], ARRAY[md5((n / 100)::text)], 1, ARRAY[md5('f' || n)], 'k', repeat('0', 64), '\\x00',
    1, 3, n %% 50 = 0, 'olivia', filed, filed - make_interval(days => n %% 5), 'olivia', 2,
    (ARRAY['gdpr', 'gdpr', 'uk_gdpr', 'ccpa'])[1 + n %% 4], CASE WHEN n %% 20 < 2 THEN 'running' ELSE 'stopped' END,
    filed + interval '30 days',
    CASE WHEN n %% 20 > 1 THEN filed + make_interval(mins => hashtext('c' || n) & 65535) END,
    CASE WHEN n %% 20 > 0 THEN 'adam' END,
    CASE WHEN n %% 20 > 0 THEN filed + make_interval(mins => hashtext('d' || n) & 32767) END,
    CASE WHEN n %% 20 > 0 THEN 'objection' END
FROM (SELECT n, now() - make_interval(mins => n * 5) AS filed FROM generate_series(1, %(count)s) AS n) AS filings
ON CONFLICT DO NOTHING
"""


def main() -> None:
    """Seed, ask each page, print and write the times."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--tickets", type=int, default=100_000)
    arguments.add_argument("--times", type=int, default=15, help="how often each page is asked")
    arguments.add_argument("--json", type=Path)
    options = arguments.parse_args()
    supervisor = Supervisor(lambda _name, _line: None)
    with temporary_data("lacuna-console-") as data:
        try:
            figures = _measure(supervisor, data, options.tickets, options.times)
        finally:
            supervisor.stop()
    for page, row in figures.items():
        print(f"{page:45} {row['median_ms']:7.1f} ms  {row['worst_ms']:7.1f} ms  {row['bytes']:7d} bytes")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1) + "\n")


def _measure(supervisor: Supervisor, data: Path, count: int, times: int) -> dict[str, dict[str, float]]:
    secrets = load_secrets(data)
    backends = start_backends(supervisor, data, {}, secrets)
    ensure_roles(backends.database_url, {service: secrets[f"role_{service}"] for service in SERVICES})
    upgrade(backends.database_url)
    engine = make_engine(service_url(backends.database_url, "request", secrets["role_request"]))
    bootstrap(engine, MODEL, "models/demo-vlm", data / "keys.json")
    keys = json.loads((data / "keys.json").read_text())
    shredding = FolderKeys(data / "shredding-keys")
    shredding.set_up()
    keyring = KeyRing(bytes(range(32)), shredding=shredding)
    app = build(AppContext(engine, LocalStore(data / "objects"), keyring, MODEL))
    client = TestClient(app, base_url="http://127.0.0.1:8600")
    body = {"names": ["Mara Lindqvist"], "facts": [{"attribute": "city", "value": "Lund"}]}
    filed = client.post("/v1/tickets", json=body, headers={"Authorization": f"Bearer {keys['olivia']}"}).json()["id"]
    with psycopg.connect(backends.database_url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(SEED, {"model": MODEL, "count": count})
        connection.execute("VACUUM ANALYZE")  # as autovacuum does soon after so many rows
    client.post("/console/sign-in", data={"key": keys["rosa"]})
    pages = [
        "/console/tickets", "/console/tickets?view=review", "/console/tickets?view=overdue",
        "/console/tickets?view=failed", "/console/tickets?view=completed", "/console/tickets?view=all",
        "/console/tickets?urgent=true", "/console/tickets?source=phone", f"/console/tickets/{filed}",
        "/console/tickets/new", "/console/erasers", "/console/status", "/console/figures", "/console/keys",
    ]  # fmt: skip
    token = client.get("/console/tickets/new").text.split('name="csrf" value="')[1].split('"')[0]
    figures = {page: _times(partial(client.get, page), times) for page in pages}
    for text in ("Mara Lindqvist", f"case-{count // 2}", "Nobody"):
        search = partial(client.post, "/console/tickets/search", data={"csrf": token, "text": text})
        figures[f"search {text}"] = _times(search, times)
    engine.dispose()
    return figures


def _times(ask: Callable[[], Response], times: int) -> dict[str, float]:
    """Median and worst of `times`, after one that is not counted."""
    answer = ask()
    if answer.status_code != 200:
        raise RuntimeError(answer.text[:500])
    spent = []
    for _ in range(times):
        began = time.perf_counter()
        ask()
        spent.append(1000 * (time.perf_counter() - began))
    return {"median_ms": statistics.median(spent), "worst_ms": max(spent), "bytes": len(answer.content)}


if __name__ == "__main__":
    main()
