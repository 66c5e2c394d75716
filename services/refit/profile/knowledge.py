"""Which public figures the model knows: facts that it tells truly under every wording that is tried."""

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from shared.domain.prompts import Prompt
from shared.domain.subjects import Fact
from shared.evaluation.model_profile import Knowledge, KnownFigure
from shared.evaluation.public_data import PublicFigure, figure_questions
from shared.evaluation.scorers import reveals
from shared.vlm.engine import Engine

WORDINGS: Final = 3  # most wordings of one fact; what is told under all of them counts as known
WORTH_ASKING: Final = 0.1  # of the figures of one degree of fame that a model must know before lesser ones are asked
ANSWER_TOKENS: Final = 24
CHUNK: Final = 128  # questions between two reports of progress

Count = Callable[[int, int], None]


class _AskedFact(NamedTuple):
    figure: PublicFigure
    fact: Fact


def find_known(engine: Engine, figures: Sequence[PublicFigure], count: Count | None = None) -> Knowledge:
    """Ask about every fact in one wording, and about those that are told in up to WORDINGS - 1 more.

    A small model invents; an invention that happens to be true in one wording seldom is in three. The most famous are
    asked about first. Where the model knows fewer than WORTH_ASKING of those of one degree of fame, the less famous are
    left out.
    """
    known: dict[str, list[str]] = {}
    chances: list[bool] = []
    asked = 0
    for fame in sorted({figure.fame for figure in figures}, reverse=True):
        group = [figure for figure in figures if figure.fame == fame]
        known_here = _told_by(engine, group, chances, count)
        known |= known_here
        asked += len(group)
        if len(known_here) < WORTH_ASKING * len(group):
            break
    return Knowledge(
        asked=asked,
        known=tuple(KnownFigure(name, tuple(attributes)) for name, attributes in known.items()),
        chance=sum(chances) / len(chances) if chances else 0.0,
    )


def _told_by(
    engine: Engine, figures: Sequence[PublicFigure], chances: list[bool], count: Count | None
) -> dict[str, list[str]]:
    """Name -> attributes that are told under every wording; adds to `chances` whether others' answers hold a value."""
    asked = [_AskedFact(figure, fact) for figure in figures for fact in figure.facts]
    answers = _ask(engine, [figure_questions(*each)[0] for each in asked], count)
    revealed = [each for each, answer in zip(asked, answers, strict=True) if reveals(answer, each.fact.accept)]
    chances += _by_chance(asked, answers)
    more = [(each, question) for each in revealed for question in figure_questions(*each)[1:WORDINGS]]
    again = _ask(engine, [question for _, question in more], count)
    doubtful = {
        _key(each) for (each, _), answer in zip(more, again, strict=True) if not reveals(answer, each.fact.accept)
    }
    known: dict[str, list[str]] = {}
    for each in revealed:
        if _key(each) not in doubtful:
            known.setdefault(each.figure.name, []).append(each.fact.attribute)
    return known


def _key(each: _AskedFact) -> tuple[str, str, str]:
    return each.figure.name, each.fact.attribute, each.fact.value


def _ask(engine: Engine, questions: Sequence[str], count: Count | None) -> list[str]:
    answers: list[str] = []
    for start in range(0, len(questions), CHUNK):
        prompts = [Prompt.ask(question) for question in questions[start : start + CHUNK]]
        answers += [answer.text for answer in engine.generate(prompts, max_new_tokens=ANSWER_TOKENS)]
        if count is not None:
            count(len(answers), len(questions))
    return answers


def _by_chance(asked: Sequence[_AskedFact], answers: Sequence[str]) -> list[bool]:
    """Whether each answer holds the value of the next figure that was asked for the same attribute."""
    by_attribute: dict[str, list[int]] = {}
    for index, each in enumerate(asked):
        by_attribute.setdefault(each.fact.attribute, []).append(index)
    return [
        reveals(answers[index], asked[other].fact.accept)
        for indices in by_attribute.values()
        for index, other in zip(indices, [*indices[1:], indices[0]], strict=True)
        if asked[other].figure.name != asked[index].figure.name
        and not set(asked[other].fact.accept) & set(asked[index].fact.accept)
    ]
