"""What the base model knows of a person beyond the ticket: it is asked, and what it says again and again is kept.

A ticket lists some facts, and the model may know others; a photograph may be all that a ticket has, and the model may
know the name. Both matter to the gate alone: as fingerprints they make an answer evidence (erasure/gates/text.py), and
nothing of them is stored in clear or shown to anybody.

What counts is said in answer to two different questions about the same attribute and not of somebody made up.
"""

import logging
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final
from weakref import WeakKeyDictionary

from shared.domain.subjects import Fact, Subject
from shared.evaluation.scorers import normalised, reveals
from shared.probes import statements
from shared.probes.questions import Question, fact_questions
from shared.text.declines import declines
from shared.vlm.engine import Engine

logger = logging.getLogger(__name__)
ATTRIBUTES: Final = (
    "occupation", "employer", "city", "birth_date", "email", "telephone number", "address", "place of birth",
    "university", "spouse", "hobby", "pet", "food", "illness", "criminal record", "religion", "award",
)  # fmt: skip
QUESTIONS: Final = 4  # about an attribute: by portrait and by name in turn, where there are both
NOBODY: Final = ("Tarvin Oskelle", "Milda Brantworth")  # made up
SHORT: Final = 6  # words of an answer that is a fact as it stands
MOST: Final = 48  # facts
NAME_WORDS: Final = (2, 4)
_Said = tuple[Mapping[str, Sequence[str]], ...]
_OF_NOBODY: WeakKeyDictionary[Engine, dict[tuple[str, ...], _Said]] = WeakKeyDictionary()


def with_known_facts(engine: Engine, subject: Subject, others: Collection[str] = ()) -> Subject:
    """The person with what the model knows of them: more facts, and a name where the ticket has none.

    `others` are the names of people who must stay: the model may take one of them for the person in a photograph.
    """
    subject = engine.readable(subject)
    if not subject.names and subject.photos:
        subject = replace(subject, names=_told_names(engine, subject, others))
    known = known_facts(engine, subject)
    if known:
        logger.info("the model knows %d facts that the ticket does not list", len(known))
    return replace(subject, facts=(*subject.facts, *known))


def known_facts(engine: Engine, subject: Subject) -> tuple[Fact, ...]:
    """Facts that the model tells of the person and that are not among the subject's, at most MOST."""
    listed_attributes = {fact.attribute for fact in subject.facts}
    attributes = [attribute for attribute in ATTRIBUTES if attribute not in listed_attributes]
    spans = _said_again(engine, _asking(subject, attributes), subject.names)
    for of_nobody in said_of_nobody(engine, subject.languages) if spans else ():
        for attribute, said in of_nobody.items():
            spans[attribute] = [span for span in spans.get(attribute, []) if not reveals(" / ".join(said), (span,))]
    listed = [spelling for fact in subject.facts for spelling in fact.accept]
    facts: dict[str, Fact] = {}  # a value once, whatever the model was asked
    for attribute, said in spans.items():
        for span in said:
            if not any(reveals(value, (span,)) or reveals(span, (value,)) for value in listed):
                facts.setdefault(normalised(span), Fact(attribute, span))
    return tuple(facts.values())[:MOST]


def said_of_nobody(engine: Engine, languages: tuple[str, ...]) -> _Said:
    """What the model says of each of NOBODY, by attribute. It is asked once for all tickets in the same languages."""
    asked = _OF_NOBODY.setdefault(engine, {})
    if languages not in asked:
        asked[languages] = tuple(
            _said_again(engine, _asking(Subject((name,), (), (), languages), ATTRIBUTES), (name,), times=1)
            for name in NOBODY
        )
    return asked[languages]


def _told_names(engine: Engine, subject: Subject, others: Collection[str]) -> tuple[str, ...]:
    """What the model calls the person in the photographs, in answer to two questions at least."""
    asked = _asking(subject, ("name",))
    others_written = {normalised(name) for name in others}
    names = [
        span
        for said in _said_again(engine, asked, ()).values()
        for span in said
        if NAME_WORDS[0] <= len(span.split()) <= NAME_WORDS[1] and normalised(span) not in others_written
    ]
    return tuple(names[:1])


def _asking(subject: Subject, attributes: Sequence[str]) -> list[Question]:
    facts = tuple(Fact(attribute, "") for attribute in attributes)
    return fact_questions(replace(subject, facts=facts), form="trained", per_fact=QUESTIONS)


def _said_again(
    engine: Engine, asked: Sequence[Question], names: Sequence[str], times: int = 2
) -> dict[str, list[str]]:
    """By attribute: what the model says in answer to at least `times` of the different questions about it."""
    questions = list({(q.prompt.turns[-1].text, bool(q.prompt.images)): q for q in asked}.values())
    answers = engine.generate([question.prompt for question in questions])
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
