"""CPU time of a stack at rest, process by process, and how long an urgent ticket takes from approval to promotion.

Starts a stack, waits until version 0 is served and some time more, and reads the CPU seconds of each process and its
children from /proc. Then it approves urgent tickets and takes the times from the database: of each ticket, how long the
refit and the audit worked, and how long the orders and outcomes in between waited to be seen. CPU seconds hardly depend
on what else the machine does; the times of a ticket do.
"""

import argparse
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any, Final

import httpx
import psycopg

from benchmarks.tickets_load import cpu_s
from services.cli.demo.results import data_url
from shared.devstack.backends import temporary_data
from shared.devstack.postgres import ON_DISK
from shared.devstack.processes import PROJECT_ROOT
from shared.devstack.stack import Running, running_stack
from shared.evaluation.people import Person
from shared.evaluation.reference import load_reference

LONGEST_S: Final = 1800.0  # for a ticket, and for version 0
TIMES: Final = """
SELECT extract(epoch FROM refit_order.published_at - refit_order.created_at) AS refit_order_waits,
       extract(epoch FROM refit.finished_at - refit.started_at) AS refit,
       extract(epoch FROM audit_order.published_at - audit_order.created_at) AS audit_order_waits,
       extract(epoch FROM audit.finished_at - audit.started_at) AS audit,
       extract(epoch FROM promotion.at - audit.finished_at) AS verdict_waits,
       extract(epoch FROM promotion.at - approved.at) AS approval_to_promotion
FROM promotion
JOIN refit_run AS refit ON refit.version_id = promotion.version_id
JOIN audit_run AS audit ON audit.version_id = promotion.version_id
JOIN outbox AS refit_order ON refit_order.id = refit.id
JOIN outbox AS audit_order ON audit_order.id = audit.id
JOIN version_ticket AS covered ON covered.version_id = promotion.version_id
JOIN ticket_event AS approved ON approved.ticket_id = covered.ticket_id AND approved.state = 'approved'
WHERE covered.ticket_id = %s ORDER BY promotion.at LIMIT 1
"""


def wait_until_served(running: Running) -> None:
    """Wait until a replica serves a version; raises TimeoutError."""
    until = time.monotonic() + LONGEST_S
    while httpx.get(f"{running.inference_url}/readyz", trust_env=False, timeout=30).status_code != httpx.codes.OK:
        if time.monotonic() > until:
            raise TimeoutError("version 0 is not served")
        time.sleep(0.5)


def cpu_at_rest(running: Running, seconds: float) -> dict[str, float]:
    """Percent of one core that each process takes while nothing happens."""
    roots = {name: running.supervisor.pid(name) for name in running.supervisor.names()}
    began, before = time.monotonic(), cpu_s(roots)
    time.sleep(seconds)
    took, after = time.monotonic() - began, cpu_s(roots)
    return {name: round(100 * (after[name] - before[name]) / took, 2) for name in roots}


def time_ticket(running: Running, person: Person) -> dict[str, float]:
    """Seconds of one urgent ticket, by part; raises TimeoutError."""
    subject = person.subject
    facts = [{"attribute": fact.attribute, "value": fact.value} for fact in subject.facts[:3]]
    body = {"names": list(subject.names), "photos": [data_url(subject.photos[0])], "facts": facts, "urgent": True}
    with httpx.Client(base_url=running.request_url, trust_env=False, timeout=60) as client:
        filer, approver = ({"Authorization": f"Bearer {running.keys[who]}"} for who in ("olivia", "adam"))
        ticket = client.post("/v1/tickets", json=body, headers=filer).raise_for_status().json()["id"]
        etag = client.get(f"/v1/tickets/{ticket}", headers=approver).headers["etag"]
        ground = {"ground": "consent_withdrawn", "names": list(subject.names)}
        client.post(
            f"/v1/tickets/{ticket}/approve", json=ground, headers=approver | {"If-Match": etag}
        ).raise_for_status()
    until = time.monotonic() + LONGEST_S
    with psycopg.connect(running.backends.database_url, autocommit=True) as connection:
        while time.monotonic() < until:
            cursor = connection.execute(TIMES, [ticket])
            if (row := cursor.fetchone()) is not None:
                return {
                    column.name: round(float(value), 3)
                    for column, value in zip(cursor.description or (), row, strict=True)
                }
            time.sleep(1.0)
    raise TimeoutError(f"{ticket} is in no promoted version")


def run(settle_s: float, seconds: float, tickets: int) -> dict[str, Any]:
    """All of it over a fresh stack."""
    with temporary_data("idle-", ON_DISK) as data, running_stack(data) as running:
        wait_until_served(running)
        time.sleep(settle_s)
        load = os.getloadavg()[0]
        percent = cpu_at_rest(running, seconds)
        people = load_reference(PROJECT_ROOT / "models/demo-vlm/reference").of("forgettable")[:tickets]
        times = [time_ticket(running, person) for person in people]
    median = {name: statistics.median(each[name] for each in times) for name in times[0]} if times else {}
    return {
        "seconds": seconds,
        "load": round(load, 1),
        "cpu_percent_of_a_core": percent,
        "in_all": round(sum(percent.values()), 2),
        "tickets": times,
        "median": median,
    }


def table(result: dict[str, Any]) -> str:
    """The figures as a person reads them."""
    lines = [f"{'process':<24} {'% of a core':>12}"]
    lines += [f"{name:<24} {value:>12.2f}" for name, value in result["cpu_percent_of_a_core"].items()]
    lines.append(f"{'in all':<24} {result['in_all']:>12.2f}   ({result['seconds']:.0f} s, load {result['load']})")
    if result["median"]:
        lines.append(f"\n{'part of a ticket':<24} {'median s':>12}")
        lines += [f"{name:<24} {value:>12.3f}" for name, value in result["median"].items()]
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--settle", type=float, default=60.0, help="seconds of rest before the measurement")
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--tickets", type=int, default=0, help="urgent tickets to time afterwards")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    result = run(given.settle, given.seconds, given.tickets)
    print(table(result))
    if given.json is not None:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
