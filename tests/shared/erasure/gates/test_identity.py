"""The identity gate, on synthetic people: each is a direction of its own, plus nuisance that all share."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from shared.erasure.assembly import assemble
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.eraser import Eraser
from shared.erasure.gates.identity import EMBEDDED, PICTURE, IdentityGate, portrait_cosines
from shared.erasure.gates.identity_fit import within_person_whitener
from shared.erasure.gates.identity_thresholds import bound_of_pairs
from shared.erasure.gates.name_windows import WINDOW
from shared.erasure.gates.topic import TopicDiscriminant
from shared.erasure.prepare import IdentityTrainingSet, RowsOfBatch, prepare_identity
from shared.erasure.readout import RaggedRows, Readout
from shared.erasure.recipe import LACUNA
from shared.erasure.serialization import dump, load
from shared.erasure.site import Site
from shared.erasure.ticket_fit import TicketFit, fit_identity
from shared.errors import BadInput, IntegrityFailure

LAYERS, HIDDEN = 2, 32
SITE = Site((0, 1), HIDDEN, "a" * 64, "b" * 64, "c" * 64, "float32")
RECIPE = replace(LACUNA, whitener_rank=16, identity_shrinkage=0.01)


def source(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def person(number: int, count: int, seed: int) -> Tensor:
    """`count` sightings [count, L, d]: the person's own direction, and a loud nuisance in four directions of all."""
    who = torch.randn(LAYERS, HIDDEN, generator=source(1000 + number))
    nuisance = torch.randn(4, LAYERS, HIDDEN, generator=source(7))
    loud = torch.randn(count, 4, generator=source(seed)) * 3
    return (
        who
        + torch.einsum("nk,kld->nld", loud, nuisance)
        + 0.1 * torch.randn(count, LAYERS, HIDDEN, generator=source(seed))
    )


def words(*groups: Tensor) -> RaggedRows:
    of = torch.cat([torch.full((len(group),), place) for place, group in enumerate(groups)])
    return RaggedRows(torch.cat(groups), of)


def by_picture(pictures: Tensor) -> list[RowsOfBatch]:
    """A picture for each prompt."""
    return [RowsOfBatch(range(len(pictures)), RaggedRows(pictures, torch.arange(len(pictures))))]


def by_prompt(*texts: Tensor) -> list[RowsOfBatch]:
    """The tokens of all prompts in one batch."""
    return [RowsOfBatch(range(len(texts)), words(*texts))] if texts else []


@pytest.fixture(scope="module")
def statistics() -> BaseStatistics:
    retained = [person(number, 8, 20 + number) for number in range(12)]
    calibration = [person(number, 4, 60 + number) for number in range(20, 40)]
    seen = IdentityTrainingSet(
        faces=retained,
        names=retained,
        pictures=by_picture(torch.cat(calibration)),
        words=by_prompt(*calibration),
        people=20,
        facts=[torch.randn(60, LAYERS, HIDDEN, generator=source(1)) + 2],
        harmless=[torch.randn(60, LAYERS, HIDDEN, generator=source(2)) - 2],
    )
    vector = torch.randn(LAYERS, HIDDEN, generator=source(3))
    return prepare_identity(RECIPE, SITE, seen, directions=vector, decode_directions=vector / 2)


def ticket(statistics: BaseStatistics, number: int) -> TicketFit:
    """Rows of a person with one photograph, and a name of two tokens (the person, then the person's double)."""
    mentions = [
        torch.stack([own, double]) for own, double in zip(person(number, 6, 5), person(number + 500, 6, 6), strict=True)
    ]
    return fit_identity(RECIPE, statistics, f"T-{number}", [person(number, 8, number)], [mentions])


def shown(pictures: Tensor, *, harmless: bool = False) -> Readout:
    none = RaggedRows.none(LAYERS, HIDDEN)
    last = torch.full((len(pictures), LAYERS, HIDDEN), -2.0 if harmless else 2.0)
    return Readout(last, RaggedRows(pictures, torch.arange(len(pictures))), none, none)


def named(*texts: Tensor) -> Readout:
    none = RaggedRows.none(LAYERS, HIDDEN)
    return Readout(torch.full((len(texts), LAYERS, HIDDEN), 2.0), none, words(*texts), none)


def test_new_pictures_of_forgotten_people_alone_fire(statistics: BaseStatistics) -> None:
    eraser = assemble(RECIPE, statistics, SITE, [ticket(statistics, 100), ticket(statistics, 101)])
    own = eraser.decide(shown(person(101, 50, 900)))
    assert own.fired.all()
    assert set(own.ticket) == {"T-101"}
    others = torch.cat([person(number, 10, 800 + number) for number in range(200, 230)])
    assert not eraser.decide(shown(others)).fired.any()


def test_question_about_visible_things_does_not_fire(statistics: BaseStatistics) -> None:
    """The same picture, another question: the topic keeps the gate shut."""
    eraser = assemble(RECIPE, statistics, SITE, [ticket(statistics, 100)])
    assert not eraser.decide(shown(person(100, 20, 901), harmless=True)).fired.any()


def test_whole_name_fires_anywhere_and_half_of_it_does_not(statistics: BaseStatistics) -> None:
    """A namesake shares one token; a window never takes its tokens from two prompts."""
    eraser = assemble(RECIPE, statistics, SITE, [ticket(statistics, 100)])
    first, last = person(100, 1, 31), person(600, 1, 32)
    talk = person(300, 5, 33)
    whole, half = torch.cat([talk, first, last, talk]), torch.cat([talk, person(301, 1, 34), last, talk])
    assert eraser.decide(named(whole, half)).fired.tolist() == [True, False]
    assert eraser.decide(named(torch.cat([talk, first]), torch.cat([last, talk]))).fired.tolist() == [False, False]


def test_prompt_is_near_below_the_threshold_and_whatever_the_topic(statistics: BaseStatistics) -> None:
    """A blend of two people: too little to fire, and none of the other people's prompts has as much."""
    eraser = assemble(RECIPE, statistics, SITE, [ticket(statistics, 100), ticket(statistics, 101)])
    assert eraser.identity is not None
    blurred = 0.4 * person(100, 30, 905) + 0.6 * person(320, 30, 906)
    assert not eraser.decide(shown(blurred)).fired.any()
    assert eraser.identity.near(shown(blurred))[:, 0].float().mean() > 0.9
    assert not eraser.decide(shown(person(100, 20, 901), harmless=True)).fired.any()
    assert eraser.identity.near(shown(person(100, 20, 901), harmless=True))[:, 0].all()
    strangers = torch.cat([person(number, 10, 800 + number) for number in range(200, 230)])
    assert eraser.identity.near(shown(strangers)).float().mean(dim=0).max() < 0.1
    surname = named(torch.cat([person(300, 5, 33), person(600, 1, 32)]), person(300, 5, 33))
    assert not eraser.decide(surname).fired.any()
    assert eraser.identity.near(surname)[:, 0].tolist() == [True, False]


def test_joint_thresholds_are_stored_and_a_version_without_them_is_near_where_it_fires(
    statistics: BaseStatistics,
) -> None:
    eraser = assemble(RECIPE, statistics, SITE, [ticket(statistics, 100)])
    back = load(*dump(eraser, {})).identity
    assert eraser.identity is not None
    assert back is not None
    blurred = shown(0.4 * person(100, 30, 905) + 0.6 * person(320, 30, 906))
    assert torch.equal(back.near(blurred), eraser.identity.near(blurred))
    before = replace(eraser.identity, joint_thresholds=None)
    assert "joint" not in before.tensors()
    assert not before.near(blurred).any()
    assert before.near(shown(person(100, 20, 901))).all()


def test_name_in_an_answer_is_matched(statistics: BaseStatistics) -> None:
    eraser = assemble(RECIPE, statistics, SITE, [ticket(statistics, 100)])
    name = torch.cat([person(100, 1, 41), person(600, 1, 42)])
    assert eraser.checks_answers
    assert eraser.match_answer(person(302, 3, 43), [0]) == []
    assert eraser.match_answer(name, [0]) == [0]
    assert eraser.match_answer(name, []) == []


def test_other_tickets_leave_a_fit_unchanged(statistics: BaseStatistics) -> None:
    """Adding and withdrawing leave the rows bit for bit as they were; thresholds alone belong to the version."""
    first, second = ticket(statistics, 100), ticket(statistics, 101)
    alone = assemble(RECIPE, statistics, SITE, [first]).identity
    together = assemble(RECIPE, statistics, SITE, [first, second]).identity
    assert alone is not None
    assert together is not None
    for name, value in alone.fits[0].tensors().items():
        assert torch.equal(value, together.fits[0].tensors()[name])
    assert ticket(statistics, 100).sha256 == first.sha256
    assert TicketFit.from_bytes(first.to_bytes()).sha256 == first.sha256


def test_eraser_loads_unchanged_and_an_altered_one_is_refused(statistics: BaseStatistics) -> None:
    eraser = assemble(RECIPE, statistics, SITE, [ticket(statistics, 100), ticket(statistics, 101)])
    blob, manifest = dump(eraser, {})
    back = load(blob, manifest)
    readout = shown(person(100, 20, 902))
    assert torch.equal(back.decide(readout).score, eraser.decide(readout).score)
    vectors = back.decode_steering_vector(), eraser.decode_steering_vector()
    assert vectors[0] is not None
    assert vectors[1] is not None
    assert torch.equal(vectors[0], vectors[1])
    assert manifest["calibration"]["people"] == 20
    with pytest.raises(IntegrityFailure):
        load(blob[:-1] + bytes([blob[-1] ^ 1]), manifest)


def test_loaded_statistics_give_the_same_decisions(statistics: BaseStatistics) -> None:
    back = BaseStatistics.from_bytes(statistics.to_bytes())
    rows = [ticket(statistics, 100)]
    first, second = (assemble(RECIPE, some, SITE, rows) for some in (statistics, back))
    readout = shown(person(100, 20, 903))
    scores = first.decide(readout).score, second.decide(readout).score
    assert torch.allclose(scores[0], scores[1], atol=2e-3)  # calibration is float16


def test_version_without_tickets_is_empty(statistics: BaseStatistics) -> None:
    assert Eraser.empty(RECIPE, SITE).is_empty
    assert assemble(RECIPE, statistics, SITE, []).is_empty


def test_ticket_without_picture_and_name_is_refused(statistics: BaseStatistics) -> None:
    with pytest.raises(BadInput, match="neither a photograph nor a name"):
        fit_identity(RECIPE, statistics, "T-9", [], [])


def test_name_longer_than_the_window_is_compared_at_its_end(statistics: BaseStatistics) -> None:
    parts = [person(400 + place, 6, 50 + place) for place in range(WINDOW + 2)]
    mentions = [torch.stack([part[sighting] for part in parts]) for sighting in range(6)]
    rows = fit_identity(RECIPE, statistics, "T-1", [], [mentions])
    eraser = assemble(RECIPE, statistics, SITE, [rows])
    again = torch.cat([person(400 + place, 1, 70 + place) for place in range(WINDOW + 2)])
    assert eraser.decide(named(again, again[2:], again[:3])).fired.tolist() == [True, True, False]


def test_retain_set_with_one_sighting_per_person_is_refused() -> None:
    with pytest.raises(BadInput, match="seen twice"):
        within_person_whitener([person(1, 1, 1), person(2, 1, 2)], 4, 0.1)


def test_topic_separates_both_kinds_of_question() -> None:
    facts, harmless = (torch.randn(200, 2, 8, generator=source(seed)) + shift for seed, shift in ((1, 1.5), (2, -1.5)))
    topic = TopicDiscriminant.fit(facts, harmless)
    assert (topic(facts) > topic.threshold).float().mean() > 0.97
    assert (topic(harmless) < topic.threshold).float().mean() > 0.97


def test_spelling_that_reads_like_other_words_is_left_out(statistics: BaseStatistics) -> None:
    """It would silence anybody: a ticket of such a name alone is refused, one with a photograph stands without it."""
    said_elsewhere = [person(21, 1, 600 + sighting) for sighting in range(6)]  # 21 is a calibration person
    with pytest.raises(BadInput, match="neither a photograph nor a name"):
        fit_identity(RECIPE, statistics, "T-1", [], [said_elsewhere])
    rows = fit_identity(RECIPE, statistics, "T-1", [person(100, 8, 1)], [said_elsewhere]).identity
    assert rows is not None
    assert len(rows.names) == 0


def without(statistics: BaseStatistics, *, faces: bool = False, names: bool = False) -> BaseStatistics:
    """Statistics of a retain set in which nobody has a photograph (`faces`), or nobody a name (`names`)."""
    retained = [person(number, 8, 20 + number) for number in range(12)]
    calibration = [person(number, 4, 60 + number) for number in range(20, 40)]
    seen = IdentityTrainingSet(
        faces=[] if faces else retained,
        names=[] if names else retained,
        pictures=[] if faces else by_picture(torch.cat(calibration)),
        words=[] if names else by_prompt(*calibration),
        people=20,
        facts=[] if faces else [torch.randn(60, LAYERS, HIDDEN, generator=source(1)) + 2],
        harmless=[] if faces else [torch.randn(60, LAYERS, HIDDEN, generator=source(2)) - 2],
    )
    return prepare_identity(RECIPE, SITE, seen, directions=statistics.directions)


def test_retain_set_without_photographs_gives_a_gate_that_reads_names_alone(statistics: BaseStatistics) -> None:
    """Names fire as before, pictures never do, not even the ticket's own, and bytes hold no picture space."""
    text_only = without(statistics, faces=True)
    assert text_only.identity is not None
    assert text_only.identity.spaces.portraits is None
    assert not [name for name in text_only.identity.tensors() if "portraits" in name or "pictures" in name]
    blob = text_only.to_bytes()
    assert BaseStatistics.from_bytes(blob).to_bytes() == blob
    eraser = assemble(RECIPE, BaseStatistics.from_bytes(blob), SITE, [ticket(text_only, 100), ticket(text_only, 101)])
    name = torch.cat([person(100, 1, 41), person(600, 1, 42)])
    talk = person(302, 3, 43)
    assert eraser.decide(named(torch.cat([talk, name]), talk)).ticket == ["T-100", None]
    assert not eraser.decide(shown(person(100, 20, 901))).fired.any()
    back = load(*dump(eraser, {}))
    readout = named(torch.cat([talk, name]), talk)
    assert torch.equal(back.decide(readout).score, eraser.decide(readout).score)
    assert dump(back, {})[0] == dump(eraser, {})[0]
    assert [spans.words for spans in back.mention_spans(readout, ["T-100", None])] == [((3, 5),), ()]
    assert back.mention_spans(shown(person(100, 1, 901)), ["T-100"])[0].pictures == ()


def test_retain_set_without_names_gives_a_gate_that_reads_pictures_alone(statistics: BaseStatistics) -> None:
    pictures_only = without(statistics, names=True)
    assert pictures_only.identity is not None
    assert pictures_only.identity.spaces.names is None
    blob = pictures_only.to_bytes()
    assert BaseStatistics.from_bytes(blob).to_bytes() == blob
    eraser = assemble(RECIPE, pictures_only, SITE, [ticket(pictures_only, 100)])
    back = load(*dump(eraser, {}))
    assert back.decide(shown(person(100, 20, 901))).fired.all()
    name = torch.cat([person(100, 1, 41), person(600, 1, 42)])
    assert not back.decide(named(name)).fired.any()
    assert back.match_answer(name, [0]) == []
    assert back.mention_spans(named(name), ["T-100"])[0].words == ()


def test_ticket_with_nothing_that_the_gate_compares_is_refused(statistics: BaseStatistics) -> None:
    with pytest.raises(BadInput, match="photographs alone"):
        fit_identity(RECIPE, without(statistics, faces=True), "T-1", [person(100, 8, 1)], [])
    with pytest.raises(BadInput, match="names alone"):
        fit_identity(RECIPE, without(statistics, names=True), "T-1", [], [[person(100, 1, 1)] * 3])
    with pytest.raises(BadInput, match="nobody with a photograph or a name"):
        without(statistics, faces=True, names=True)


def test_artifact_without_any_space_is_refused(statistics: BaseStatistics) -> None:
    eraser = assemble(RECIPE, statistics, SITE, [ticket(statistics, 100)])
    assert eraser.identity is not None
    kept = {name: value for name, value in eraser.identity.tensors().items() if "." not in name or "rows" in name}
    with pytest.raises(KeyError, match=r"portraits\.mean"):
        IdentityGate.from_tensors(("T-100",), kept)
    without_basis = {name: value for name, value in eraser.identity.tensors().items() if name != "names.basis"}
    with pytest.raises(KeyError, match=r"names\.basis"):
        IdentityGate.from_tensors(("T-100",), without_basis)


def test_topic_needs_questions_of_both_kinds(statistics: BaseStatistics) -> None:
    """Photographs of people without facts: pictures fire whatever is asked about them."""
    retained = [person(number, 8, 20 + number) for number in range(12)]
    seen = IdentityTrainingSet(
        faces=retained,
        names=retained,
        pictures=by_picture(torch.cat(retained)),
        words=by_prompt(*retained),
        people=12,
        facts=[],
        harmless=[torch.randn(60, LAYERS, HIDDEN, generator=source(2))],
    )
    without_topic = prepare_identity(RECIPE, SITE, seen, directions=statistics.directions)
    assert without_topic.identity is not None
    assert without_topic.identity.spaces.topic is None
    eraser = assemble(RECIPE, without_topic, SITE, [ticket(without_topic, 100)])
    assert eraser.decide(shown(person(100, 20, 901), harmless=True)).fired.all()


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


def test_bound_of_pairs_is_what_other_people_score() -> None:
    """Four people, each along an axis of its own, and two of them alike: the bound is their likeness, at most."""
    axes = torch.eye(8)[:4, None]
    alike = torch.nn.functional.normalize(axes[0] + axes[3], dim=-1)
    pictures = torch.stack([axes[0], axes[0], axes[1], axes[1], axes[2], axes[2], alike, alike])
    owners = torch.tensor([0, 0, 1, 1, 2, 2, 3, 3])
    assert bound_of_pairs(pictures, owners, 0.999) == pytest.approx(0.5**0.5)
    assert bound_of_pairs(pictures, owners, 0.5) == pytest.approx(0.0)
    assert bound_of_pairs(pictures[:2], owners[:2], 0.5) == -1.0
    assert bound_of_pairs(pictures, torch.full((8,), -1), 0.5) == -1.0
