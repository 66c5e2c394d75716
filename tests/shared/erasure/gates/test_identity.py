"""The identity gate, on synthetic people."""

from dataclasses import replace

import pytest
import torch

from shared.erasure.assembly import assemble
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.eraser import Eraser
from shared.erasure.gates.identity import IdentityGate
from shared.erasure.gates.identity_fit import within_person_whitener
from shared.erasure.gates.name_windows import WINDOW
from shared.erasure.gates.topic import TopicDiscriminant
from shared.erasure.prepare import IdentityTrainingSet, prepare_identity
from shared.erasure.serialization import dump, load
from shared.erasure.ticket_fit import TicketFit, fit_identity
from shared.errors import BadInput, IntegrityFailure
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
    ticket,
)


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
