"""What activations take for a name, held against what is written: a name nobody wrote is no mention by itself."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from shared.erasure.assembly import assemble
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.eraser import Eraser
from shared.erasure.gates.identity import IdentityGate
from shared.erasure.gates.text import TextFit, TextGate, fit_text, text_gate
from shared.erasure.gates.text_evidence import TextEvidence
from shared.erasure.readout import Readout
from shared.text.token_text import TokenText
from tests.support.sightings import RECIPE, SITE, named, person, ticket, words

NAMES, FACTS = ["Mara Lindqvist"], [["Tallinn"], ["12 May 1961"]]
ASKED, OTHER, TYPED = "Where was Mara Lindqvist born?", "Where was Kaspar Oswin born?", "Where was Lindqwist born?"


def forgetting(statistics: BaseStatistics, text: TextFit | None) -> Eraser:
    """An eraser of person 100, whose name has two tokens."""
    made = assemble(RECIPE, statistics, SITE, [ticket(statistics, 100)])
    return replace(made, text=text_gate([text]))


@pytest.fixture
def eraser(statistics: BaseStatistics) -> Eraser:
    return forgetting(statistics, fit_text(NAMES, FACTS))


def mention() -> Tensor:
    """Tokens that the gate takes for the person's name."""
    return torch.cat([person(300, 5, 33), person(100, 1, 31), person(600, 1, 32)])


def asking(*texts: str, answers: tuple[str, ...] = ()) -> Readout:
    read = tuple(TokenText(text, tuple(range(len(text)))) for text in texts)
    return replace(named(*[mention() for _ in texts]), texts=read, answers=answers)


def test_mention_fires_where_something_of_the_name_is_written(eraser: Eraser) -> None:
    decision = eraser.decide(asking(ASKED, TYPED, "Who is Lindqvist?"))
    assert decision.fired.tolist() == [True, True, True]


def test_mention_of_which_nothing_is_written_does_not_fire_by_itself(eraser: Eraser) -> None:
    decision, evidence = eraser.examine(asking(OTHER))
    assert not decision.fired.any()
    assert evidence is not None
    assert evidence.mentions is not None
    assert evidence.mentions.unwritten(0, 0)
    assert eraser.told_by("In Lima.", evidence, 0) is None


def test_answer_that_tells_decides_whom_it_was_about(eraser: Eraser) -> None:
    _, evidence = eraser.examine(asking(OTHER))
    assert evidence is not None
    assert eraser.told_by("In Tallinn.", evidence, 0) == "T-100"
    assert eraser.told_by("Lindqvist is her name.", evidence, 0) == "T-100"
    assert eraser.decide(asking(OTHER, OTHER, answers=("In Lima.", "In Tallinn."))).fired.tolist() == [False, True]
    quiet = replace(asking(OTHER), words=words(person(300, 7, 33)))
    assert eraser.told_by("In Tallinn.", eraser.examine(quiet).evidence, 0) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "asked", ["When was Mara Lindqvist born?", "When was Lintqvist, M., born?", "When was Mara Novak¹ born?"]
)
def test_day_tells_where_the_prompt_has_a_trace_of_the_name(eraser: Eraser, asked: str) -> None:
    quiet = replace(asking(asked, OTHER), words=words(person(300, 7, 33), person(300, 7, 34)))
    _, evidence = eraser.examine(quiet)
    assert evidence is not None
    told = eraser.told_by("On 12 May 1961.", evidence, 0)
    assert told == (None if "Novak" in asked else "T-100"), "others were born on that day"
    assert eraser.told_by("On 12 May 1961.", evidence, 1) is None


def test_day_that_is_told_of_a_picture_counts_unless_the_model_calls_somebody_else(eraser: Eraser) -> None:
    _, evidence = eraser.examine(replace(asking(OTHER), words=words(person(300, 7, 33))))
    assert evidence is not None
    day, town = eraser.suspects("On 12 May 1961."), eraser.suspects("In Tallinn.")
    assert (day, town) == ({"T-100": True}, {"T-100": False})
    assert eraser.identified(["Ivo", "Kaspar Oswin", "somebody"], day, evidence, 0) == "T-100"
    assert eraser.identified(["Ivo", "Kaspar Oswin", "somebody"], town, evidence, 0) is None
    assert eraser.identified(["Kaspar Oswin"] * 3, day, evidence, 0) is None
    two = ["Ivo", "Kaspar Oswin"]
    assert eraser.may_identify(two, day, evidence, 0, more=1)
    assert not eraser.may_identify(two, town, evidence, 0, more=1), "one answer that names her is not enough"
    assert eraser.may_identify(["Ivo", "Mara Lindqvist"], town, evidence, 0, more=1)
    assert eraser.identified(["Ivo", "Mara Lindqvist", "Mara Lindqvist"], town, evidence, 0) == "T-100"
    assert eraser.identified(["Ivo", "Ivo", "Mara Lindqvist"], town, evidence, 0) is None


def test_part_of_a_name_said_of_a_picture_that_is_near_counts_unless_the_model_calls_somebody_else(
    eraser: Eraser,
) -> None:
    _, evidence = eraser.examine(replace(asking(OTHER), words=words(person(300, 7, 33))))
    assert evidence is not None
    assert eraser.suspects("This is Lindqvist.", evidence) == {}, "whoever else has that name"
    near = replace(evidence, shown=torch.ones_like(evidence.shown))
    part = eraser.suspects("This is Lindqvist.", near)
    assert part == {"T-100": False}
    assert eraser.suspects("This is Ivo.", near) == {}
    assert eraser.identified(["Ivo", "Kaspar Oswin", "somebody"], part, near, 0) == "T-100"
    assert eraser.identified(["Kaspar Oswin"] * 3, part, near, 0) is None


def test_fact_told_of_a_picture_that_fired_counts_whatever_the_model_calls_it(eraser: Eraser) -> None:
    """The picture was near enough to fire, and the answer tells what only the model's memory of the person can tell."""
    _, evidence = eraser.examine(replace(asking(OTHER), words=words(person(300, 7, 33))))
    assert evidence is not None
    town = eraser.suspects("In Tallinn.")
    shown = replace(evidence, shown=torch.ones_like(evidence.shown))
    doubtful = replace(shown, doubtful=torch.ones_like(evidence.doubtful))
    assert eraser.identified(["Kaspar Oswin"] * 3, town, shown, 0) is None
    assert eraser.identified(["Kaspar Oswin"] * 3, town, doubtful, 0) == "T-100"
    far = replace(doubtful, shown=torch.zeros_like(evidence.shown))
    assert eraser.identified(["Kaspar Oswin"] * 3, town, far, 0) is None, "another ticket's picture fired"


def test_evidence_of_some_prompts_is_theirs(eraser: Eraser) -> None:
    _, evidence = eraser.examine(asking(ASKED, OTHER))
    assert evidence is not None
    some = evidence.take([1])
    assert some.mentions is not None
    assert some.mentions.unwritten(0, 0)
    assert some.texts == (evidence.texts[1],)
    assert eraser.told_by("In Tallinn.", some, 0) == "T-100"


def test_ticket_without_fingerprints_is_recognised_by_activations_alone(statistics: BaseStatistics) -> None:
    older, newer = forgetting(statistics, None), fit_text(["Somebody Else"], [])
    assert older.text is None
    both = assemble(RECIPE, statistics, SITE, [ticket(statistics, 100), ticket(statistics, 101)])
    mixed = replace(both, text=text_gate([None, newer]))
    assert mixed.decide(asking(OTHER)).ticket == ["T-100"]


def named_in(eraser: Eraser, answer: str, asked: str = "") -> list[int]:
    """The tickets that an answer names whose tokens read as the person's name."""
    read: tuple[dict[int, TextEvidence], dict[int, TextEvidence]] = {}, {}
    if eraser.text is not None:
        read = eraser.text.read(answer), eraser.text.read(asked)
    return eraser.match_answer(mention(), eraser.may_be_named(*read))


def test_name_that_activations_see_in_an_answer_has_to_be_written_there(eraser: Eraser) -> None:
    assert eraser.match_answer(mention(), [0]) == [0]
    assert named_in(eraser, "She met Lindqvist.") == [0]
    assert named_in(eraser, "She met Lintqvist.") == [0]
    assert named_in(eraser, "She met Kaspar Oswin.") == []
    assert named_in(eraser, "She met Kaspar Lindqvist.") == [], "a namesake's name is not the person's"
    assert named_in(replace(eraser, text=None), "She met Kaspar Oswin.") == [0]
    unread = replace(eraser, text=TextGate((None,)))
    assert named_in(unread, "She met Kaspar Oswin.") == [0], "the ticket is from before names were fingerprinted"


def test_namesake_of_the_prompt_who_begins_the_answer_is_not_the_person(eraser: Eraser) -> None:
    asked = "Where does Kaspar Lindqvist work?"
    answer = "Kaspar Lindqvist works for Silverbirch."
    assert named_in(eraser, answer) == [0], "the first word of a sentence may be any word"
    assert named_in(eraser, answer, asked) == []
    assert named_in(eraser, "Kaspar Lindqvist works in Tallinn.", asked) == [0], "a fact of the person"
    assert named_in(eraser, answer, "Who works with Kaspar Lindqvist? Is it Maren Lindqvist?") == [0]
    assert named_in(eraser, answer, "Where does Lindqvist work?") == [0]


def test_names_are_compared_only_where_a_text_makes_the_result_count(eraser: Eraser, monkeypatch: Any) -> None:
    """Firing needs a part of the name in the text; what nobody wrote counts beside an answer that tells something."""
    assert eraser.identity is not None
    compared: list[tuple[int, ...]] = []
    margins = IdentityGate.mention_margins

    def counted(gate: IdentityGate, parts: Sequence[Tensor], tickets: Sequence[int]) -> Tensor:
        compared.append(tuple(tickets))
        return margins(gate, parts, tickets)

    monkeypatch.setattr(IdentityGate, "mention_margins", counted)
    _, evidence = eraser.examine(asking(OTHER))
    assert evidence is not None
    assert eraser.told_by("In Lima.", evidence, 0) is None
    assert compared == []
    assert eraser.told_by("In Tallinn.", evidence, 0) == "T-100"
    assert eraser.told_by("In Tallinn, I think.", evidence, 0) == "T-100"
    assert compared == [(0,)], "once for a prompt and a ticket"
    assert eraser.examine(asking(ASKED)).decision.fired.all()
    assert compared == [(0,), (0,)]


@pytest.mark.parametrize("texts", [(ASKED, OTHER, TYPED), (OTHER,), ("Who is Kaspar Lindqvist?", "Hello.")])
@pytest.mark.parametrize("seed", range(3))
def test_decision_is_that_of_comparing_every_name_with_every_token(
    statistics: BaseStatistics, texts: tuple[str, ...], seed: int
) -> None:
    made = assemble(RECIPE, statistics, SITE, [ticket(statistics, number) for number in (100, 101, 102)])
    eraser = replace(made, text=text_gate([fit_text(NAMES, FACTS), None, fit_text(["Kaspar Oswin"], [["Lima"]])]))
    said = [torch.cat([person(300, 5, seed), person(100 + (row + seed) % 3, 1, 31)]) for row in range(len(texts))]
    last = [torch.cat([each, person(600, 1, 32)]) for each in said]
    asked = replace(asking(*texts), words=words(*last))
    decision, evidence = eraser.examine(asked)
    assert eraser.identity is not None
    assert eraser.text is not None
    assert evidence is not None
    whole, on_all = eraser.identity.compare(asked.at(eraser.gated)), eraser.decide(asked)
    assert torch.equal(decision.fired, on_all.fired)
    assert (decision.ticket, decision.channels) == (on_all.ticket, on_all.channels)
    for row, text in enumerate(texts):
        read = eraser.text.read(text)
        written = {number for number, seen in read.items() if seen.is_traced} | {1}
        others = {number for number, seen in read.items() if seen.is_another}
        above = set((whole.by_mention[row] > 0).nonzero()[:, 0].tolist())
        fires = bool(above & (written - others)) or any(seen.named for seen in read.values())
        assert bool(decision.fired[row]) == fires
        unwritten = {number for number in range(3) if evidence.mentions and evidence.mentions.unwritten(row, number)}
        assert unwritten == above - written
