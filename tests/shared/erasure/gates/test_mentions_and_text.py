"""What activations take for a name, held against what is written: a name nobody wrote is no mention by itself."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from shared.erasure.assembly import assemble
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.eraser import Eraser
from shared.erasure.gates.text import TextFit, fit_text, text_gate
from shared.erasure.readout import Readout
from shared.text.token_text import TokenText
from tests.shared.erasure.gates.test_identity import RECIPE, SITE, named, person, statistics, ticket, words

__all__ = ["statistics"]  # a fixture
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
    assert evidence.mentioned.tolist() == [[True]]
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
    assert some.mentioned.tolist() == [[True]]
    assert some.texts == (evidence.texts[1],)
    assert eraser.told_by("In Tallinn.", some, 0) == "T-100"


def test_ticket_without_fingerprints_is_recognised_by_activations_alone(statistics: BaseStatistics) -> None:
    older, newer = forgetting(statistics, None), fit_text(["Somebody Else"], [])
    assert older.text is None
    both = assemble(RECIPE, statistics, SITE, [ticket(statistics, 100), ticket(statistics, 101)])
    mixed = replace(both, text=text_gate([None, newer]))
    assert mixed.decide(asking(OTHER)).ticket == ["T-100"]


def test_name_that_activations_see_in_an_answer_has_to_be_written_there(eraser: Eraser) -> None:
    matched = eraser.match_answers(words(mention()), 1)[0]
    assert matched == ("T-100",)
    assert eraser.named_in("She met Lindqvist.", matched) == "T-100"
    assert eraser.named_in("She met Kaspar Oswin.", matched) is None
    assert eraser.named_in("She met Kaspar Lindqvist.", matched) is None, "a namesake's name is not the person's"
    assert replace(eraser, text=None).named_in("She met Kaspar Oswin.", matched) == "T-100"
    assert eraser.named_in("She met Lindqvist.", ()) is None


def test_namesake_of_the_prompt_who_begins_the_answer_is_not_the_person(eraser: Eraser) -> None:
    matched = eraser.match_answers(words(mention()), 1)[0]
    assert eraser.text is not None
    asked = eraser.text.read("Where does Kaspar Lindqvist work?")
    answer = "Kaspar Lindqvist works for Silverbirch."
    assert eraser.named_in(answer, matched) == "T-100", "the first word of a sentence may be any word"
    assert eraser.named_in(answer, matched, asked) is None
    assert eraser.named_in("Kaspar Lindqvist works in Tallinn.", matched, asked) == "T-100", "a fact of the person"
    both = eraser.text.read("Who works with Kaspar Lindqvist? Is it Maren Lindqvist?")
    assert eraser.named_in(answer, matched, both) == "T-100"
    assert eraser.named_in(answer, matched, eraser.text.read("Where does Lindqvist work?")) == "T-100"
