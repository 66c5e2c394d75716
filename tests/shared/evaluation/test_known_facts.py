"""A refit finds out what the model knows beyond the ticket."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from services.refit.fitting import text_of_subject
from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.erasure.gates.text import TextGate
from shared.evaluation.known_facts import known_facts, with_facts_to_ask, with_known_facts
from shared.evaluation.reference import Reference, load_reference
from shared.evaluation.scorers import reveals
from shared.vlm.engine import Engine
from shared.vlm.generation import Answer
from shared.vlm.loading import load

MODEL = Path("models/demo-vlm")


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load(str(MODEL)))


@pytest.fixture(scope="module")
def reference() -> Reference:
    return load_reference(MODEL / "reference")


@pytest.fixture(scope="module")
def subject(reference: Reference) -> Subject:
    return reference.of("forgettable")[0].subject


def test_facts_that_the_ticket_does_not_list_are_found(engine: Engine, subject: Subject) -> None:
    listed = replace(subject, facts=subject.facts[1:2], photos=())
    found = known_facts(engine, listed)
    others = [fact for fact in subject.facts[2:] if any(reveals(known.value, fact.accept) for known in found)]
    assert len(others) > len(subject.facts[2:]) / 2
    assert not any(reveals(known.value, subject.facts[1].accept) for known in found)


def test_nothing_is_found_about_somebody_made_up(engine: Engine, subject: Subject) -> None:
    assert known_facts(engine, replace(subject, names=("Oskelle Tarvin",), photos=())) == ()


def test_made_up_people_are_asked_about_once_for_all_tickets(
    engine: Engine, reference: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second ticket costs the questions about its own person alone."""
    first, second = (replace(person.subject, photos=()) for person in reference.of("forgettable")[1:3])
    known_facts(engine, replace(first, facts=first.facts[:1]))
    asked: list[Prompt] = []
    generate = engine.generate

    def counted(prompts: Sequence[Prompt]) -> list[Answer]:
        asked.extend(prompts)
        return generate(prompts)

    monkeypatch.setattr(engine, "generate", counted)
    assert known_facts(engine, replace(second, facts=second.facts[:1]))
    assert asked
    assert all(second.names[0] in prompt.turns[-1].text for prompt in asked)


def test_ticket_by_photograph_alone_gets_the_name(engine: Engine, subject: Subject) -> None:
    shown = replace(subject, names=(), facts=subject.facts[1:3])
    assert with_known_facts(engine, shown).names == subject.names
    gate = TextGate((text_of_subject(with_known_facts(engine, shown)),))
    assert gate.read(f"Who is {subject.names[0]}?")[0].named


def test_name_of_somebody_who_stays_is_not_taken(engine: Engine, subject: Subject) -> None:
    shown = replace(subject, names=(), facts=subject.facts[1:3])
    assert with_known_facts(engine, shown, subject.names).names == ()


def test_ticket_without_facts_is_asked_about_by_what_the_model_tells(engine: Engine, subject: Subject) -> None:
    listed = replace(subject, facts=subject.facts[1:2])
    assert with_facts_to_ask(engine, listed) is listed
    named = replace(subject, facts=(), photos=())
    asked = with_facts_to_ask(engine, named)
    assert (asked.names, asked.photos) == (named.names, ())
    assert len(asked.facts) > 3
    assert all(any(reveals(true.value, (fact.value,)) for true in subject.facts) for fact in asked.facts[:3])
    shown = with_facts_to_ask(engine, replace(subject, names=(), facts=()))
    assert [(fact.attribute, fact.value) for fact in shown.facts[:1]] == [("name", subject.names[0])]
    assert shown.names == ()
    assert with_facts_to_ask(engine, replace(named, names=("Oskelle Tarvin",))).facts == ()


def test_few_facts_take_few_questions(engine: Engine, subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    named = replace(subject, facts=(), photos=())
    with_facts_to_ask(engine, named)  # the made-up people are asked about once
    asked: list[Prompt] = []
    generate = engine.generate

    def counted(prompts: Sequence[Prompt]) -> list[Answer]:
        asked.extend(prompts)
        return generate(prompts)

    monkeypatch.setattr(engine, "generate", counted)
    some = with_facts_to_ask(engine, named, enough=2)
    few = len(asked)
    asked.clear()
    everything = with_facts_to_ask(engine, named)
    assert set(some.facts) <= set(everything.facts)
    assert len(some.facts) >= 2
    assert few < len(asked) / 2
