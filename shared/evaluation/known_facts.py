"""What the base model knows of a person beyond the ticket: it is asked, and what it says again and again is kept.

A ticket lists some facts, and the model may know others; a photograph may be all that a ticket has, and the model may
know the name. As fingerprints both make an answer evidence (erasure/gates/text.py). A ticket without facts is asked
about by what the model tells (`with_facts_to_ask`). Nothing of them is stored in clear or shown to anybody.

What counts is said in answer to two different questions about the same attribute and not of somebody made up.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol
from weakref import WeakKeyDictionary

from shared.domain.prompts import Prompt
from shared.domain.subjects import Fact, Subject
from shared.evaluation.reference import Reference
from shared.evaluation.scorers import normalised, reveals
from shared.probes import statements
from shared.probes.questions import Question, fact_questions
from shared.text.declines import declines

logger = logging.getLogger(__name__)
ATTRIBUTES: Final = (
    "occupation", "employer", "city", "birth_date", "email", "telephone number", "address", "place of birth",
    "university", "spouse", "hobby", "pet", "food", "illness", "criminal record", "religion", "award",
)  # fmt: skip
QUESTIONS: Final = 4  # about an attribute: by portrait and by name in turn, where there are both
NOBODY: Final = ("Tarvin Oskelle", "Milda Brantworth")  # made up
SHORT: Final = 6  # words of an answer that is a fact as it stands
MOST: Final = 48  # facts
FEW: Final = 4  # attributes that are asked about at once where few facts are enough
NAME_WORDS: Final = (2, 4)
NAME: Final = "name"
COMPARED: Final = 24  # other people of whom the model is asked what it tells of them too
COMPARED_SPLITS: Final = ("retain_fit", "celebrity_fit", "calibration")  # those that a fit may read


class Reply(Protocol):
    """An answer of the model."""

    @property
    def text(self) -> str: ...


class BaseModel(Protocol):
    """The model without an eraser, as `shared.vlm.model.Engine` is."""

    def readable(self, subject: Subject) -> Subject:
        """The person without what the model cannot read."""

    def generate(self, prompts: Sequence[Prompt]) -> Sequence[Reply]:
        """One answer for each prompt, in order."""


@dataclass(frozen=True)
class OtherPeople:
    """People who must stay. `names`: of all of them; `compared`: of those of whom the model is asked what it tells."""

    names: Sequence[str] = ()
    compared: Sequence[str] = ()


NO_OTHERS: Final = OtherPeople()
_Said = tuple[Mapping[str, Sequence[str]], ...]
_OF_NOBODY: WeakKeyDictionary[BaseModel, dict[tuple[str, ...], _Said]] = WeakKeyDictionary()
_OF_OTHERS: WeakKeyDictionary[BaseModel, dict[tuple[tuple[str, ...], str], tuple[str, ...]]] = WeakKeyDictionary()


def with_facts_to_ask(
    model: BaseModel, subject: Subject, others: Collection[str] = (), *, enough: int = MOST
) -> Subject:
    """The person with the facts by which the model is asked about them.

    They are those of the ticket, where it lists any. Else they are what the model tells of the person, and where there
    are photographs and no name, the name that it gives the person in them. A person of whom the model tells nothing has
    no facts. `others` are as in `with_known_facts`; the model is asked no more once it has told `enough` facts.
    """
    if subject.facts:
        return subject
    asked = model.readable(subject)
    called = () if asked.names or not asked.photos else _told_names(model, asked, others)
    return replace(
        subject, facts=(*(Fact(NAME, name) for name in called), *known_facts(model, asked, enough=enough - len(called)))
    )


def names_of_others(reference: Reference) -> list[str]:
    """The names of all people of the reference who are kept or measured, not of those who may be forgotten."""
    people = (person for person in reference.people if person.split != "forgettable")
    return [name for person in people for name in person.subject.names]


def other_people(reference: Reference, without: Collection[str] = ()) -> OtherPeople:
    """The people of the reference who must stay, but for those with a name of `without`.

    Compared are COMPARED of those that a fit may read, spread over them; the people of an evaluation are not.
    """
    people = (person.subject for split in COMPARED_SPLITS for person in reference.of(split))
    named = [
        name for name in dict.fromkeys(person.names[0] for person in people if person.names) if name not in without
    ]
    step = max(1, len(named) / COMPARED)
    compared = [named[int(number * step)] for number in range(min(COMPARED, len(named)))]
    return OtherPeople([name for name in names_of_others(reference) if name not in without], compared)


def with_known_facts(model: BaseModel, subject: Subject, others: Collection[str] = ()) -> Subject:
    """The person with what the model knows of them: more facts, and a name where the ticket has none.

    `others` are the names of people who must stay: the model may take one of them for the person in a photograph.
    """
    subject = model.readable(subject)
    if not subject.names and subject.photos:
        subject = replace(subject, names=_told_names(model, subject, others))
    known = known_facts(model, subject)
    if known:
        logger.info("the model knows %d facts that the ticket does not list", len(known))
    return replace(subject, facts=(*subject.facts, *known))


def known_facts(model: BaseModel, subject: Subject, *, enough: int = MOST) -> tuple[Fact, ...]:
    """Facts that the model tells of the person and that are not among the subject's, at most MOST.

    The model is asked about a few attributes after the other, until it has told `enough` facts.
    """
    listed_attributes = {fact.attribute for fact in subject.facts}
    attributes = [attribute for attribute in ATTRIBUTES if attribute not in listed_attributes]
    step = len(ATTRIBUTES) if enough >= MOST else FEW
    facts: dict[str, Fact] = {}  # a value once, whatever the model was asked
    for start in range(0, len(attributes), step):
        if len(facts) < enough:
            _add_known(facts, model, subject, attributes[start : start + step])
    return tuple(facts.values())[:MOST]


def _add_known(facts: dict[str, Fact], model: BaseModel, subject: Subject, attributes: Sequence[str]) -> None:
    """Ask the model about `attributes`, and add what it tells of the person to `facts`."""
    spans = _said_again(model, _asking(subject, attributes), subject.names)
    for of_nobody in said_of_nobody(model, subject.languages) if spans else ():
        for attribute, said in of_nobody.items():
            spans[attribute] = [span for span in spans.get(attribute, []) if not reveals(" / ".join(said), (span,))]
    listed = [spelling for fact in subject.facts for spelling in fact.accept]
    for attribute, said in spans.items():
        for span in said:
            if not any(reveals(value, (span,)) or reveals(span, (value,)) for value in listed):
                facts.setdefault(normalised(span), Fact(attribute, span))


def said_of_nobody(model: BaseModel, languages: tuple[str, ...]) -> _Said:
    """What the model says of each of NOBODY, by attribute. It is asked once for all tickets in the same languages."""
    asked = _OF_NOBODY.setdefault(model, {})
    if languages not in asked:
        asked[languages] = tuple(
            _said_again(model, _asking(Subject((name,), (), (), languages), ATTRIBUTES), (name,), times=1)
            for name in NOBODY
        )
    return asked[languages]


def said_of_others(model: BaseModel, names: Sequence[str], languages: tuple[str, ...]) -> list[tuple[str, ...]]:
    """What the model says of each of `names`, one answer for each attribute. It is asked once for all tickets."""
    asked = _OF_OTHERS.setdefault(model, {})
    questions = {
        name: _asking(Subject((name,), (), (), languages), ATTRIBUTES, per_attribute=1)
        for name in names
        if (languages, name) not in asked
    }
    answers = iter(model.generate([question.prompt for each in questions.values() for question in each]))
    for name, each in questions.items():
        asked[languages, name] = tuple(next(answers).text for _ in each)
    return [asked[languages, name] for name in names]


def _told_names(model: BaseModel, subject: Subject, others: Collection[str]) -> tuple[str, ...]:
    """What the model calls the person in the photographs, in answer to two questions at least."""
    asked = _asking(subject, (NAME,))
    others_written = {normalised(name) for name in others}
    names = [
        span
        for said in _said_again(model, asked, ()).values()
        for span in said
        if NAME_WORDS[0] <= len(span.split()) <= NAME_WORDS[1] and normalised(span) not in others_written
    ]
    return tuple(names[:1])


def _asking(subject: Subject, attributes: Sequence[str], per_attribute: int = QUESTIONS) -> list[Question]:
    facts = tuple(Fact(attribute, "") for attribute in attributes)
    return fact_questions(replace(subject, facts=facts), form="trained", per_fact=per_attribute)


def _said_again(
    model: BaseModel, asked: Sequence[Question], names: Sequence[str], times: int = 2
) -> dict[str, list[str]]:
    """By attribute: what the model says in answer to at least `times` of the different questions about it."""
    questions = list({(q.prompt.turns[-1].text, bool(q.prompt.images)): q for q in asked}.values())
    answers = model.generate([question.prompt for question in questions])
    counts: dict[str, Counter[str]] = {}
    for question, answer in zip(questions, answers, strict=True):
        if declines(answer.text):
            continue
        in_question = normalised(question.prompt.turns[-1].text)
        spans = {normalised(span): span for span in _spans(answer.text, names)}
        for key, span in spans.items():
            if key and key not in in_question:
                counts.setdefault(question.attribute, Counter())[span] += 1
    return {attribute: [span for span, n in found.items() if n >= times] for attribute, found in counts.items()}


def _spans(text: str, names: Sequence[str]) -> Iterator[str]:
    """What an answer tells: a short one as a whole, of a longer one its salient spans; never the person's own name."""
    own = {word for name in names for word in normalised(name).split()}
    words = text.strip().rstrip(".").split()
    candidates = [" ".join(words)] if len(words) <= SHORT else statements.salient_spans(text, names)
    for span in candidates:
        if not own.intersection(normalised(span).split()):
            yield span
