"""What must be so in the database, the object store and the log when everything has come to rest. Reads only.

`unrest` says what has not come to its end yet; `broken` says what must never be, however long one waits.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import psycopg

from shared.errors import LacunaError, NotFound
from shared.storage.base import ObjectStore

# Each counts, or lists, what is still under way.
UNREST: Final[Mapping[str, str]] = {
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
    "leaves without a place": "SELECT count(*) FROM log_leaf WHERE position IS NULL",
    "leaves not signed": (
        "SELECT (SELECT count(*) FROM log_leaf) - coalesce((SELECT max(size) FROM log_checkpoint), 0)"
    ),
    "payloads not destroyed": (
        "SELECT count(*) FROM ticket WHERE state IN ('completed', 'withdrawn', 'rejected') "
        "AND payload_wrapped_key IS NOT NULL"
    ),
    "objects not removed": "SELECT count(*) FROM disposal WHERE removed_at IS NULL",
    "completed but not certified": (
        "SELECT count(*) FROM ticket WHERE state = 'completed' AND NOT EXISTS (SELECT 1 FROM certificate "
        "JOIN desired_state USING (version_id) WHERE ticket_id = ticket.id AND status = 'in_force')"
    ),
}
# Each lists what must not be.
NEVER: Final[Mapping[str, str]] = {
    "a ticket that must stay forgotten is not covered": (
        "SELECT uncovered_tickets(model_id, version_id) FROM desired_state"
    ),
    "one order made two versions": ("SELECT run_id::text FROM eraser_version GROUP BY run_id HAVING count(*) > 1"),
    "two versions in a row cover the same": (
        "SELECT number::text FROM (SELECT number, coverage_root, lag(coverage_root) OVER (ORDER BY number) AS before "
        "FROM eraser_version) AS seen WHERE coverage_root = before"
    ),
    "version numbers have a gap": (
        "SELECT 'up to ' || max(number) FROM eraser_version HAVING max(number) + 1 <> count(*)"
    ),
    "a version has not exactly one verdict": (
        "SELECT number::text FROM eraser_version LEFT JOIN audit_run ON audit_run.version_id = eraser_version.id "
        "GROUP BY number HAVING count(verdict) <> 1"
    ),
    "one event has two leaves": (
        "SELECT kind || ' ' || subject || ' ' || detail::text FROM log_leaf GROUP BY kind, subject, detail "
        "HAVING count(*) > 1"
    ),
    "an event and its leaf do not agree": (
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
    "a fence is not the number of its attempts": (
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
    "an approved ticket was forgotten": (
        "SELECT id || ' ' || state FROM ticket WHERE state NOT IN ('completed', 'withdrawn', 'rejected')"
    ),
}


@dataclass
class Truth:
    """The stack's rows and objects, as its administrator sees them. Remembers fences, which only grow."""

    database_url: str
    store: ObjectStore
    _fences: dict[str, int] = field(default_factory=dict)
    _back: list[str] = field(default_factory=list)

    def unrest(self, expected: Mapping[str, str]) -> list[str]:
        """What is not at its end: tickets that are not in the state that `expected` says, and what the table asks."""
        try:
            with self._connect() as session:
                self._follow(session)
                states = dict(session.execute("SELECT id, state FROM ticket WHERE id = ANY(%s)", (list(expected),)))
                found = [f"{t} is {states.get(t)}, not {s}" for t, s in expected.items() if states.get(t) != s]
                for what, query in UNREST.items():
                    row = session.execute(query).fetchone()
                    found += [f"{what}: {row[0]}"] if row and row[0] else []
        except psycopg.Error as exc:
            return [f"the database does not answer: {exc}"]
        return found

    def broken(self, sources: Mapping[str, str]) -> list[str]:
        """What must never be; `sources` are the tickets that were filed, by the word each was filed under."""
        found = list(self._back)
        with self._connect() as session:
            for what, query in NEVER.items():
                found += [f"{what}: {row[0]}" for row in session.execute(query).fetchmany(5)]
            for source, ticket in sources.items():
                ids = [row[0] for row in session.execute("SELECT id FROM ticket WHERE source = %s", (source,))]
                if ids != [ticket]:
                    found.append(f"{source} was answered as {ticket} and exists as {ids}")
            objects = session.execute("SELECT object_key, sha256 FROM eraser_version ORDER BY number DESC LIMIT 1")
            wanted = objects.fetchall()
            wanted += session.execute(
                "SELECT object_key, sha256 FROM fit_rows WHERE wrapped_key IS NOT NULL"
            ).fetchall()
            wanted += session.execute(
                "SELECT kit_key, kit_sha256 FROM ticket WHERE kit_wrapped_key IS NOT NULL"
            ).fetchall()
        return found + [one for key, digest in wanted if (one := self._differs(key, digest))]

    def _differs(self, key: str, digest: str) -> str | None:
        try:
            blob = self.store.get(key)
        except NotFound:
            return f"the object {key} is lost"
        except LacunaError as exc:
            return f"the object {key} cannot be read: {exc.detail}"
        return None if hashlib.sha256(blob).hexdigest() == digest else f"the object {key} is another one"

    def one(self, query: str) -> Any:
        """A single value."""
        with self._connect() as session:
            row = session.execute(query).fetchone()
        return row[0] if row else None

    def _follow(self, session: "psycopg.Connection[tuple[Any, ...]]") -> None:
        for run, fence in session.execute(
            "SELECT id::text, fence FROM refit_run UNION SELECT id::text, fence FROM audit_run"
        ):
            if fence < self._fences.get(run, 0):
                self._back.append(f"the fence of {run} went back")
            self._fences[run] = fence

    def _connect(self) -> "psycopg.Connection[tuple[Any, ...]]":
        return psycopg.connect(self.database_url, connect_timeout=3, autocommit=True)
