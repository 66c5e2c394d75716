"""The invariants of a stack: what its database and object store must look like when all work is done. Reads only.

`unfinished` lists work that has not ended yet. `violations` lists what must never be true, however long one waits.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from shared.errors import LacunaError, NotFound
from shared.storage.base import ObjectStore

# Each query counts work that is still under way.
UNFINISHED: Final[Mapping[str, str]] = {
    "messages not sent": "SELECT count(*) FROM outbox WHERE published_at IS NULL",
    "orders not carried out": (
        "SELECT count(*) FROM outbox WHERE NOT EXISTS (SELECT 1 FROM refit_run WHERE refit_run.id = outbox.id "
        "AND status IN ('succeeded', 'nothing_to_do', 'failed')) AND NOT EXISTS (SELECT 1 FROM audit_run "
        "WHERE audit_run.id = outbox.id AND status IN ('succeeded', 'failed'))"
    ),
    "runs under way": "SELECT count(*) FROM refit_run WHERE status IN ('waiting', 'running')",
    "audits under way": "SELECT count(*) FROM audit_run WHERE status IN ('waiting', 'running')",
    "newest version not promoted": (
        "SELECT count(*) FROM desired_state JOIN eraser_version ON eraser_version.id = version_id "
        "WHERE number < (SELECT max(number) FROM eraser_version)"
    ),
    "desired state not served": (
        "SELECT count(*) FROM desired_state WHERE NOT EXISTS (SELECT 1 FROM replica WHERE state = 'serving' "
        "AND replica.generation = desired_state.generation AND lease_until > clock_timestamp())"
    ),
    "leaves without a position": "SELECT count(*) FROM log_leaf WHERE position IS NULL",
    "leaves not signed": (
        "SELECT (SELECT count(*) FROM log_leaf) - coalesce((SELECT max(size) FROM log_checkpoint), 0)"
    ),
    "payloads not destroyed": (
        "SELECT count(*) FROM ticket WHERE state IN ('completed', 'withdrawn', 'rejected') "
        "AND payload_wrapped_key IS NOT NULL"
    ),
    "objects not deleted": "SELECT count(*) FROM disposal WHERE removed_at IS NULL",
    "completed but not certified": (
        "SELECT count(*) FROM ticket WHERE state = 'completed' AND NOT EXISTS (SELECT 1 FROM certificate "
        "JOIN desired_state USING (version_id) WHERE ticket_id = ticket.id AND status = 'in_force')"
    ),
}
# Each query lists violations.
FORBIDDEN: Final[Mapping[str, str]] = {
    "a ticket that must stay forgotten is not covered": (
        "SELECT uncovered_tickets(model_id, version_id) FROM desired_state"
    ),
    "one order produced two versions": ("SELECT run_id::text FROM eraser_version GROUP BY run_id HAVING count(*) > 1"),
    "two consecutive versions cover the same tickets": (
        "SELECT number::text FROM (SELECT number, coverage_root, lag(coverage_root) OVER (ORDER BY number) AS before "
        "FROM eraser_version) AS versions WHERE coverage_root = before"
    ),
    "version numbers have a gap": (
        "SELECT 'up to ' || max(number) FROM eraser_version HAVING max(number) + 1 <> count(*)"
    ),
    "a version does not have exactly one verdict": (
        "SELECT number::text FROM eraser_version LEFT JOIN audit_run ON audit_run.version_id = eraser_version.id "
        "GROUP BY number HAVING count(verdict) <> 1"
    ),
    "one event has two leaves": (
        "SELECT kind || ' ' || subject || ' ' || detail::text FROM log_leaf GROUP BY kind, subject, detail "
        "HAVING count(*) > 1"
    ),
    "ticket events and log leaves do not agree": (
        "SELECT coalesce(e.ticket_id, l.subject) || ' ' || coalesce(e.state, l.kind) FROM (SELECT ticket_id, state, "
        "count(*) AS n FROM ticket_event WHERE kind = 'state' GROUP BY ticket_id, state) AS e FULL JOIN (SELECT "
        "subject, kind, count(*) AS n FROM log_leaf JOIN ticket ON ticket.id = subject WHERE kind IN (SELECT "
        "'ticket.' || state FROM ticket_event WHERE kind = 'state') GROUP BY subject, kind) AS l "
        "ON l.subject = e.ticket_id AND l.kind = 'ticket.' || e.state WHERE e.n IS DISTINCT FROM l.n"
    ),
    "a ticket was completed twice": (
        "SELECT ticket_id FROM ticket_event WHERE kind = 'state' AND state = 'completed' "
        "GROUP BY ticket_id HAVING count(*) > 1"
    ),
    "a fence differs from the number of attempts": (
        "SELECT id::text FROM refit_run WHERE fence <> attempt UNION SELECT id::text FROM audit_run "
        "WHERE fence <> attempt"
    ),
    "a run or an audit failed": (
        "SELECT kind || ': ' || coalesce(error, '') FROM refit_run WHERE status = 'failed' UNION "
        "SELECT 'audit: ' || coalesce(error, reasons::text) FROM audit_run WHERE status = 'failed' "
        "OR verdict = 'failed'"
    ),
    "a night was refitted twice": (
        "SELECT period FROM refit_run WHERE kind = 'nightly' GROUP BY period HAVING count(*) > 1"
    ),
    "a generation was skipped": (
        "SELECT 'up to ' || max(generation) FROM promotion HAVING max(generation) <> count(*)"
    ),
    "a ticket was left in an open state": (
        "SELECT id || ' ' || state FROM ticket WHERE state NOT IN ('completed', 'withdrawn', 'rejected')"
    ),
}


@dataclass
class Invariants:
    """Checks a stack's rows and objects as its administrator. Remembers the fences of runs, which may only grow."""

    database_url: str
    store: ObjectStore
    _fences: dict[str, int] = field(default_factory=dict)
    _decreased_fences: list[str] = field(default_factory=list)

    def unfinished(self, expected_states: Mapping[str, str]) -> list[str]:
        """List work that is under way, and tickets that are not in the state that `expected_states` gives by id."""
        try:
            with self._connect() as session:
                self._track_fences(session)
                ids = (list(expected_states),)
                states = dict(session.execute("SELECT id, state FROM ticket WHERE id = ANY(%s)", ids))
                items = [
                    f"{ticket} is {states.get(ticket)}, not {state}"
                    for ticket, state in expected_states.items()
                    if states.get(ticket) != state
                ]
                for description, query in UNFINISHED.items():
                    row = session.execute(query).fetchone()
                    items += [f"{description}: {row[0]}"] if row and row[0] else []
        except psycopg.Error as exc:
            return [f"the database does not answer: {exc}"]
        return items

    def violations(self, tickets_by_source: Mapping[str, str]) -> list[str]:
        """List every violated invariant; `tickets_by_source` gives the id of each filed ticket by its `source`."""
        problems = list(self._decreased_fences)
        with self._connect() as session:
            for description, query in FORBIDDEN.items():
                problems += [f"{description}: {row[0]}" for row in session.execute(query).fetchmany(5)]
            for source, ticket in tickets_by_source.items():
                ids = [row[0] for row in session.execute("SELECT id FROM ticket WHERE source = %s", (source,))]
                if ids != [ticket]:
                    problems.append(f"{source} was answered as {ticket} and exists as {ids}")
            objects: list[tuple[Any, ...]] = []
            for query in (
                "SELECT object_key, sha256 FROM eraser_version ORDER BY number DESC LIMIT 1",
                "SELECT object_key, sha256 FROM fit_rows WHERE wrapped_key IS NOT NULL",
                "SELECT kit_key, kit_sha256 FROM ticket WHERE kit_wrapped_key IS NOT NULL",
            ):
                objects += session.execute(query).fetchall()
        return problems + [problem for key, digest in objects if (problem := self._object_problem(key, digest))]

    def scalar(self, query: str) -> Any:
        """Return the first column of the query's first row, or None."""
        with self._connect() as session:
            row = session.execute(query).fetchone()
        return row[0] if row else None

    def _object_problem(self, key: str, digest: str) -> str | None:
        """Say what is wrong with a stored object; None if its sha256 (hex) is `digest`."""
        try:
            blob = self.store.get(key)
        except NotFound:
            return f"the object {key} is lost"
        except LacunaError as exc:
            return f"the object {key} cannot be read: {exc.detail}"
        return None if hashlib.sha256(blob).hexdigest() == digest else f"the object {key} has other content"

    def _track_fences(self, session: "psycopg.Connection[tuple[Any, ...]]") -> None:
        query = "SELECT id::text, fence FROM refit_run UNION SELECT id::text, fence FROM audit_run"
        for run, fence in session.execute(query):
            if fence < self._fences.get(run, 0):
                self._decreased_fences.append(f"the fence of {run} decreased")
            self._fences[run] = fence

    def _connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(self.database_url, connect_timeout=3, autocommit=True)
