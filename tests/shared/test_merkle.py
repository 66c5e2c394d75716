"""The tree hash of RFC 6962: the vectors of its reference implementation, and that every leaf counts."""

import hashlib

import pytest

from shared.merkle import coverage_root, root

HEX = ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
LEAVES = [bytes.fromhex(one) for one in HEX]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    2: "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    3: "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    5: "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


@pytest.mark.parametrize("size", ROOTS)
def test_the_tree_head_is_that_of_the_rfc(size: int) -> None:
    assert root(LEAVES[:size]).hex() == ROOTS[size]


def test_every_ticket_and_every_row_counts() -> None:
    tickets = {f"T-{i}": hashlib.sha256(bytes([i])).hexdigest() for i in range(7)}
    heads = {coverage_root(tickets)}
    for name in tickets:
        heads.add(coverage_root({k: v for k, v in tickets.items() if k != name}))
        heads.add(coverage_root(tickets | {name: "0" * 64}))
    assert len(heads) == 15
    assert coverage_root(dict(reversed(tickets.items()))) == coverage_root(tickets)
