"""The scatter within groups, streamed: group by group, several at once, and for some of the layers at a time."""

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from shared.erasure.gates import identity_fit
from shared.erasure.gates.identity_fit import whitener_of_people, within_person_whitener
from shared.erasure.numerics import moments, whitening
from shared.erasure.numerics.moments import WithinGroupMoments
from shared.erasure.prepare import Reread
from shared.errors import BadInput

LAYERS, HIDDEN = 3, 12


def groups(count: int = 30) -> list[Tensor]:
    source = torch.Generator().manual_seed(1)
    return [
        torch.randn(1 + number % 5, LAYERS, HIDDEN, generator=source) + 5 * torch.randn(1, LAYERS, HIDDEN)
        for number in range(count)
    ]


def by_hand(rows: list[Tensor]) -> tuple[Tensor, Tensor]:
    """The mean over all rows, and the pooled covariance within the groups."""
    centred = torch.cat([group.double() - group.double().mean(dim=0) for group in rows])
    degrees = sum(len(group) - 1 for group in rows)
    return torch.cat(rows).double().mean(dim=0), torch.einsum("nld,nle->lde", centred, centred) / degrees


@pytest.mark.parametrize("wide", [1, 10**6], ids=["several groups at once", "group by group"])
def test_streamed_scatter_is_that_of_all_rows(monkeypatch: pytest.MonkeyPatch, wide: int) -> None:
    monkeypatch.setattr(moments, "WIDE", wide)
    monkeypatch.setattr(moments, "ROWS_AT_ONCE", 16)
    rows = groups()
    streamed = WithinGroupMoments(LAYERS, HIDDEN)
    for group in (rows[0][:0], *rows):
        streamed.add(group)
    mean, covariance = by_hand(rows)
    torch.testing.assert_close(streamed.mean, mean)
    torch.testing.assert_close(torch.stack(list(streamed.covariances())), covariance)
    assert streamed.count == sum(map(len, rows))


def test_layers_that_do_not_fit_together_are_read_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bits, and the groups are read once for each part."""
    reads: list[int] = []
    rows = groups()

    def read() -> Iterator[Tensor]:
        reads.append(1)
        return iter(rows)

    whole = within_person_whitener(rows, 4, 0.1)
    monkeypatch.setattr(identity_fit, "SCATTER_BYTES", 2 * 8 * HIDDEN**2)
    parts = within_person_whitener(Reread(read), 4, 0.1)
    assert len(reads) == 2
    for name in ("mean", "basis", "scales", "rest"):
        assert torch.equal(getattr(whole, name), getattr(parts, name))


def test_no_group_gives_no_whitener() -> None:
    assert whitener_of_people([], 4, 0.1) is None
    with pytest.raises(BadInput, match="seen twice"):
        within_person_whitener([], 4, 0.1)


def test_many_rows_are_whitened_in_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    whitener = within_person_whitener(groups(), 4, 0.1)
    rows = torch.randn(50, LAYERS, HIDDEN, generator=torch.Generator().manual_seed(2))
    whole = whitener(rows)
    monkeypatch.setattr(whitening, "CHUNK_BYTES", 4 * LAYERS * HIDDEN * 7)
    torch.testing.assert_close(whitener(rows), whole)
    assert whitener(rows[:0]).shape == (0, LAYERS, HIDDEN)
