"""The identity gate where pictures are read at the input of the first block too, on synthetic people."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from shared.erasure.assembly import assemble
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.gates.identity import EMBEDDED, PICTURE, portrait_cosines
from shared.erasure.prepare import IdentityTrainingSet, prepare_identity
from shared.erasure.readout import RaggedRows, Readout
from shared.erasure.serialization import dump, load
from shared.erasure.ticket_fit import TicketFit, fit_identity
from shared.errors import BadInput
from tests.support.sightings import (
    HIDDEN,
    LAYERS,
    RECIPE,
    SITE,
    by_picture,
    by_prompt,
    named,
    person,
    shown,
    source,
)


def seen(person_rows: Tensor, at_input: Tensor) -> Tensor:
    """Pictures with their row at the input, [n, L + 1, d]."""
    return torch.cat([person_rows, at_input[:, :1]], dim=1)


@pytest.fixture(scope="module")
def with_input() -> BaseStatistics:
    """Statistics of people whose pictures are read at the input too; numbers 20 to 39 calibrate, 0 to 11 are kept."""
    retained = [person(number, 8, 20 + number) for number in range(12)]
    calibration = [person(number, 4, 60 + number) for number in range(20, 40)]
    training_set = IdentityTrainingSet(
        faces=[seen(rows, rows) for rows in retained],
        names=retained,
        pictures=by_picture(torch.cat([seen(rows, rows) for rows in calibration])),
        words=by_prompt(*calibration),
        people=20,
        facts=[torch.randn(60, LAYERS, HIDDEN, generator=source(1)) + 2],
        harmless=[torch.randn(60, LAYERS, HIDDEN, generator=source(2)) - 2],
        face_ids=tuple(f"R{number}" for number in range(12)),
        picture_ids=tuple(f"C{number}" for number in range(20, 40) for _ in range(4)),
    )
    return prepare_identity(RECIPE, SITE, training_set, directions=torch.randn(LAYERS, HIDDEN, generator=source(3)))


def by_photo(statistics: BaseStatistics, number: int, name: str | None = None) -> TicketFit:
    """A ticket with one photograph of the person `number`, and its sightings."""
    photo, again = person(number, 8, number), person(number, 8, 3000 + number)
    return fit_identity(
        RECIPE, statistics, name or f"T-{number}", [seen(photo, photo)], [], sightings=[seen(again, again)]
    )


def in_context(pictures: Tensor, at_input: Tensor) -> Readout:
    """Pictures whose context has changed what the blocks say, and not what goes into them."""
    return replace(shown(pictures), embedded=RaggedRows(at_input[:, :1], torch.arange(len(at_input))))


def test_picture_fires_by_its_input_where_the_context_hides_it(with_input: BaseStatistics) -> None:
    """Blocks that are full of other things: without the reader at the input nothing fires, with it every picture."""
    eraser = assemble(RECIPE, with_input, SITE, [by_photo(with_input, 100), by_photo(with_input, 101)])
    gate = eraser.identity
    assert gate is not None
    hidden = torch.randn(30, LAYERS, HIDDEN, generator=source(9))
    readout = in_context(hidden, person(100, 30, 950))
    blocks_alone = replace(gate, spaces=replace(gate.spaces, embedded=None))
    assert not (blocks_alone.scores(readout) > 0).any()
    assert set(eraser.decide(readout).ticket) == {"T-100"}
    assert [spans.pictures for spans in eraser.mention_spans(readout, ["T-100"] * 30)] == [(0,)] * 30
    strangers = torch.cat([person(number, 2, 800 + number) for number in range(200, 230)])
    assert not eraser.decide(in_context(strangers, strangers)).fired.any()


def test_pictures_that_were_not_read_at_the_input_are_refused(with_input: BaseStatistics) -> None:
    eraser = assemble(RECIPE, with_input, SITE, [by_photo(with_input, 100)])
    with pytest.raises(BadInput, match="not read at the input"):
        eraser.decide(shown(person(100, 2, 950)))
    with pytest.raises(BadInput, match="not read at the input"):
        shown(person(100, 2, 950)).whole_pictures()
    assert not eraser.decide(named(person(100, 3, 1))).fired.any()


def test_photograph_of_somebody_who_must_stay_is_known_as_theirs(with_input: BaseStatistics) -> None:
    """Calibration and retained people alike, by the same face; nobody else resembles them."""
    assert with_input.identity is not None
    assert with_input.identity.known is not None
    assert with_input.identity.known.ids[:2] == ("C20", "C21")
    assert with_input.identities == with_input.identity.known.ids
    for number, who in ((25, "C25"), (3, "R3")):
        fit = by_photo(with_input, number).identity
        assert fit is not None
        assert fit.resembles is not None
        assert [with_input.identities[place] for place in fit.resembles.tolist()] == [who]
    honest = by_photo(with_input, 100).identity
    assert honest is not None
    assert honest.resembles is None


def test_poisoned_ticket_moves_no_other_threshold(with_input: BaseStatistics) -> None:
    """A calibration person's photograph under another ticket; one bound for all tickets would rise to its score."""
    honest = [by_photo(with_input, number) for number in range(100, 104)]
    for fifth in (by_photo(with_input, 104), by_photo(with_input, 25), by_photo(with_input, 3)):
        gate = assemble(RECIPE, with_input, SITE, [*honest, fifth]).identity
        assert gate is not None
        if fifth.ticket == "T-104":
            expected = gate
        assert torch.equal(gate.thresholds[:4], expected.thresholds[:4])
        assert gate.joint_thresholds is not None
        assert expected.joint_thresholds is not None
        assert torch.equal(gate.joint_thresholds[:4], expected.joint_thresholds[:4])
        for number in range(100, 104):
            again = person(number, 20, 970 + number)
            assert (gate.scores(in_context(again, again))[:, number - 100] > 0).all()
    poisoned = by_photo(with_input, 25).identity
    assert poisoned is not None
    assert with_input.identity is not None
    one_for_all = portrait_cosines([poisoned.portraits], with_input.identity.pictures).max()
    assert one_for_all > expected.thresholds[:4, PICTURE].max()


def test_threshold_is_raised_no_higher_than_new_sightings_score(with_input: BaseStatistics) -> None:
    """Sightings in other light score less than the copies that the photograph's vector was made from."""
    photo, dark = person(100, 8, 100), 0.5 * person(100, 8, 3100) + 0.5 * person(330, 8, 3101)
    steady = fit_identity(RECIPE, with_input, "T-1", [seen(photo, photo)], [], sightings=[seen(photo, photo)])
    varied = fit_identity(RECIPE, with_input, "T-1", [seen(photo, photo)], [], sightings=[seen(dark, dark)])
    for channel in (PICTURE, EMBEDDED):
        high, low = (assemble(RECIPE, with_input, SITE, [fit]).identity for fit in (steady, varied))
        assert high is not None
        assert low is not None
        assert low.thresholds[0, channel] < high.thresholds[0, channel]
        bound = low.span_thresholds[0, channel]
        assert bound <= low.thresholds[0, channel] <= max(bound, varied.identity.own_scores[channel])  # type: ignore[union-attr]


def test_eraser_that_reads_the_input_loads_unchanged(with_input: BaseStatistics) -> None:
    blob = with_input.to_bytes()
    back = BaseStatistics.from_bytes(blob)
    assert back.to_bytes() == blob
    fits = [by_photo(with_input, 100), by_photo(with_input, 25)]
    assert [TicketFit.from_bytes(fit.to_bytes()).sha256 for fit in fits] == [fit.sha256 for fit in fits]
    eraser = assemble(RECIPE, back, SITE, fits)
    assert "T-25" in eraser.tickets
    again = load(*dump(eraser, {}))
    readout = in_context(torch.randn(4, LAYERS, HIDDEN, generator=source(9)), person(100, 4, 950))
    assert torch.equal(again.decide(readout).score, eraser.decide(readout).score)
    moved = again.with_margin(0.0)
    assert moved.identity is not None
    assert eraser.identity is not None
    pictures = [PICTURE, EMBEDDED]  # these tickets have no name
    assert torch.equal(moved.identity.thresholds[:, pictures], eraser.identity.span_thresholds[:, pictures])
