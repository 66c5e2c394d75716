"""What a version commits to: every ticket and every row counts, and SQL finds the same root."""

import hashlib

from shared.transparency.coverage import coverage_root


def test_every_ticket_and_every_row_counts() -> None:
    tickets = {f"T-{i}": hashlib.sha256(bytes([i])).hexdigest() for i in range(7)}
    heads = {coverage_root(tickets)}
    for name in tickets:
        heads.add(coverage_root({k: v for k, v in tickets.items() if k != name}))
        heads.add(coverage_root(tickets | {name: "0" * 64}))
    assert len(heads) == 15
    assert coverage_root(dict(reversed(tickets.items()))) == coverage_root(tickets)
