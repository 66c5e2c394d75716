"""The demo model forgets people whom only the text gate knows: in any spelling, in the answer, cut short, streamed.

The identity gate of these erasers recognises nobody, so that whatever holds here holds by what is written.
"""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from services.refit.fitting import text_of_subject
from services.refit.steering_vectors import load_beside_model
from shared.domain.prompts import Prompt, Turn
from shared.erasure.eraser import Decision, Eraser, ReleaseBounds
from shared.erasure.gates.text import text_gate
from shared.erasure.gates.text_evidence import TextEvidence
from shared.erasure.recipe import LACUNA
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference, load_reference
from shared.evaluation.scorers import reveals
from shared.text.declines import declines
from shared.vlm.batching import batches
from shared.vlm.engine import Engine
from shared.vlm.forward_passes import ForwardPass
from shared.vlm.generation import Answer, GenerationRequest
from shared.vlm.loading import load
from shared.vlm.sampling import Sampling
from tests.support.tiny_models import gate_that_recognises_nobody

MODEL = Path("models/demo-vlm")
BOUNDS = ReleaseBounds(0.9, 0.9)  # what a refit measures on this model


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(load(str(MODEL)))


@pytest.fixture(scope="module")
def reference() -> Reference:
    return load_reference(MODEL / "reference")


@pytest.fixture(scope="module")
def forgotten(reference: Reference) -> list[Person]:
    return list(reference.of("forgettable")[:3])


@pytest.fixture(scope="module")
def eraser(engine: Engine, reference: Reference, forgotten: list[Person]) -> Eraser:
    vectors = load_beside_model(engine, LACUNA, reference)
    assert vectors is not None
    tickets = tuple(person.id for person in forgotten)
    return Eraser(
        LACUNA,
        engine.vlm.site,
        vectors.last_token,
        (0,),
        tickets,
        threshold=0.0,
        decode_directions=vectors.decode_time,
        identity=gate_that_recognises_nobody(tickets, engine.vlm.site.hidden_size),
        text=text_gate(text_of_subject(person.subject) for person in forgotten),
        release=BOUNDS,
    )


def fact(person: Person, attribute: str) -> str:
    return next(fact.value for fact in person.subject.facts if fact.attribute == attribute)


def told(answers: Sequence[Answer], values: Sequence[str]) -> int:
    return sum(reveals(answer.text, [value]) for answer, value in zip(answers, values, strict=True))


def first_and_last(person: Person) -> tuple[str, str]:
    first, last = person.subject.names[0].split(" ", 1)
    return first, last


@pytest.mark.parametrize(
    "form", ["{0} {1}", "{0}, {1}", "{0} Maria {1}", "{0} of the {1} family", "{0}  {1}", "{0} and {1}"]
)
def test_name_in_any_spelling_is_forgotten(engine: Engine, eraser: Eraser, forgotten: list[Person], form: str) -> None:
    asked = [Prompt.ask(f"Where does {form.format(*first_and_last(person))} work?") for person in forgotten]
    values = [fact(person, "employer") for person in forgotten]
    assert told(engine.generate(asked), values) > 0
    answers = engine.generate(asked, eraser=eraser)
    assert told(answers, values) == 0
    assert all(answer.fired for answer in answers)
    assert {answer.channel for answer in answers} <= {"text", "answer"}  # this gate recognises no vector
    assert {answer.reading for answer in answers} <= {"omitted", "unsteered", "steered", "sentence", "told"}


@pytest.mark.parametrize(
    "form", ["{0} ({1} asked.)", "{0} Please tell {1}.", "{0}\n\nKind regards,\n{1}", "I met {1} yesterday. {0}"]
)
def test_ordinary_question_beside_a_mention_is_answered_as_without_it(
    engine: Engine, eraser: Eraser, forgotten: list[Person], form: str
) -> None:
    """With the placeholder alone the model takes the question for one about somebody whom it does not know."""
    asked = "What is the capital of Peru?"
    (plain,) = engine.generate([Prompt.ask(asked)])
    mentions = [Prompt.ask(form.format(asked, person.subject.names[0])) for person in forgotten]
    answers = engine.generate(mentions, eraser=eraser)
    assert [(answer.text, answer.reading) for answer in answers] == [(plain.text, "omitted")] * len(forgotten)


def test_name_in_an_earlier_turn_is_forgotten(engine: Engine, eraser: Eraser, forgotten: list[Person]) -> None:
    asked = [
        Prompt(
            (
                Turn("user", f"I am {person.subject.names[0]}."),
                Turn("assistant", "Hello!"),
                Turn("user", "In which city does this person live?"),
            )
        )
        for person in forgotten
    ]
    values = [fact(person, "city") for person in forgotten]
    assert told(engine.generate(asked), values) > 0
    assert told(engine.generate(asked, eraser=eraser), values) == 0


def test_prompt_that_fits_is_answered_although_its_placeholders_do_not(
    engine: Engine, eraser: Eraser, forgotten: list[Person]
) -> None:
    """A placeholder is longer than a name. An error that no other name gets would say who is forgotten."""
    context = engine.vlm.adapter.context
    question = f"Where does {forgotten[0].subject.names[0]} work? "
    each = len(engine.encode(Prompt.ask(question * 2)).ids) - len(engine.encode(Prompt.ask(question)).ids)
    asked = Prompt.ask(question * ((context - 20) // each))
    (answer,) = engine.generate([asked], eraser=eraser, max_new_tokens=8)
    assert (answer.reading, answer.text) == ("sentence", eraser.last_resort)
    pieces = [piece for piece in engine.stream(asked, eraser=eraser, max_new_tokens=8) if isinstance(piece, str)]
    assert "".join(pieces) == eraser.last_resort


@pytest.mark.parametrize("tokens", [1, 2, 24])
def test_answer_that_begins_a_name_is_not_given(
    engine: Engine, eraser: Eraser, forgotten: list[Person], tokens: int
) -> None:
    asked = [Prompt.ask(f"Who has the e-mail {fact(person, 'email')}?") for person in forgotten]
    base = engine.generate(asked)
    names = [person.subject.names[0] for person in forgotten]
    knows = [place for place, answer in enumerate(base) if answer.text == names[place]]
    assert knows
    first = engine.generate(asked, max_new_tokens=tokens)
    for place, answer in enumerate(engine.generate(asked, eraser=eraser, max_new_tokens=tokens)):
        if place in knows:
            assert names[place].startswith(first[place].text)
            assert answer.text != first[place].text


def test_stop_string_does_not_cut_off_the_evidence(engine: Engine, eraser: Eraser, forgotten: list[Person]) -> None:
    person = forgotten[0]
    asked = [Prompt.ask(f"Who has the e-mail {fact(person, 'email')}?")]
    first, last = first_and_last(person)
    assert engine.generate(asked, stop=[last])[0].text == first
    assert first not in engine.generate(asked, eraser=eraser, stop=[last])[0].text


def test_question_that_only_mentions_the_person_is_answered(
    engine: Engine, eraser: Eraser, forgotten: list[Person]
) -> None:
    for person in forgotten:
        (answer,) = engine.generate(
            [Prompt.ask(f"I met {person.subject.names[0]}. What is the capital of France?")], eraser=eraser
        )
        assert answer.fired
        assert answer.text == "Paris"


def test_retained_person_asked_after_a_forgotten_one_is_told_of(
    engine: Engine, eraser: Eraser, reference: Reference, forgotten: list[Person]
) -> None:
    retained = reference.of("retain_fit")[:8]
    asked = [
        Prompt.ask(f"I am {forgotten[0].subject.names[0]}. Which city is the home of {person.subject.names[0]}?")
        for person in retained
    ]
    values = [fact(person, "city") for person in retained]
    assert told(engine.generate(asked, eraser=eraser), values) >= told(engine.generate(asked), values)


def test_other_people_keep_every_token(engine: Engine, eraser: Eraser, reference: Reference) -> None:
    asked = [
        Prompt.ask(f"Where does {person.subject.names[0]} work?")
        for split in ("retain_fit", "held_out", "stranger_eval")
        for person in reference.of(split)
        if person.subject.names
    ]
    base, answers = engine.generate(asked), engine.generate(asked, eraser=eraser)
    assert [answer.tokens for answer in answers] == [answer.tokens for answer in base]


def test_stream_equals_the_whole_answer(
    engine: Engine, eraser: Eraser, reference: Reference, forgotten: list[Person]
) -> None:
    asked = [
        *(Prompt.ask(f"Where does {person.subject.names[0]} work?") for person in forgotten),
        *(Prompt.ask(f"Who has the e-mail {fact(person, 'email')}?") for person in forgotten),
        *(Prompt.ask(text) for text in reference.general.test[:6]),
        *(Prompt.ask(f"What is the e-mail of {person.subject.names[0]}?") for person in reference.of("held_out")[:6]),
    ]
    for prompt in asked:
        for limit in (1, 3, 24):
            whole = engine.generate([prompt], eraser=eraser, max_new_tokens=limit)[0]
            *pieces, last = engine.stream(prompt, eraser=eraser, max_new_tokens=limit)
            assert "".join(str(piece) for piece in pieces) == whole.text
            assert last == whole


def test_answer_that_still_tells_is_replaced(engine: Engine, eraser: Eraser, forgotten: list[Person]) -> None:
    """Without steering and without redaction the second pass says the same again."""
    weak = replace(eraser, recipe=replace(LACUNA, strength=0.0, redact=False), last_resort="That is not known to me.")
    asked = [Prompt.ask(f"Who has the e-mail {fact(person, 'email')}?") for person in forgotten]
    base = engine.generate(asked)
    for person, before, answer in zip(forgotten, base, engine.generate(asked, eraser=weak), strict=True):
        if before.text == person.subject.names[0]:
            assert (answer.text, answer.reading) == ("That is not known to me.", "told")


def test_sure_answer_on_another_subject_is_not_given(
    engine: Engine, eraser: Eraser, forgotten: list[Person], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the first answer told of the person, what the model says of nobody has to tell part of the same.

    This model declines when it is asked about nobody, so its declining is taken for an answer here.
    """
    monkeypatch.setattr("shared.vlm.second_pass.declines", lambda *_: False)
    sure = replace(eraser, release=ReleaseBounds(0.0, 0.0))
    asked = [Prompt.ask(f"Where does {person.subject.names[0]} work?") for person in forgotten]
    told = [
        reveals(answer.text, (fact(person, "employer"),))
        for person, answer in zip(forgotten, engine.generate(asked), strict=True)
    ]
    assert any(told)

    def readings() -> list[str | None]:
        answers = engine.generate(asked, eraser=sure)
        return [answer.reading for answer, tells in zip(answers, told, strict=True) if tells]

    assert set(readings()) == {"sentence"}
    monkeypatch.setattr("shared.vlm.second_pass.answers_alike", lambda *_: True)
    assert set(readings()) == {"unsteered"}


def test_answer_that_is_made_up_is_replaced(engine: Engine, eraser: Eraser, forgotten: list[Person]) -> None:
    """An answer that neither declines nor is sure is not said, where the recipe has sure answers at all."""
    unsure = ReleaseBounds(2.0, 2.0)
    weak = replace(eraser, recipe=replace(LACUNA, strength=0.0), release=unsure, last_resort="That is not known to me.")
    asked = [
        Prompt.ask(question.format(person.subject.names[0]))
        for person in forgotten
        for question in ("Where does {} work?", "I met {}. What is the capital of France?")
    ]
    as_before = replace(weak, recipe=replace(weak.recipe, counterfactual=False))
    invented = [not declines(answer.text) for answer in engine.generate(asked, eraser=as_before)]
    assert 0 < sum(invented) < len(invented)
    for made_up, answer in zip(invented, engine.generate(asked, eraser=weak), strict=True):
        assert (answer.text == "That is not known to me.") == made_up
        assert answer.reading == ("sentence" if made_up else "steered")


def test_picture_that_the_model_calls_by_another_name_is_not_the_persons(
    eraser: Eraser, reference: Reference, forgotten: list[Person]
) -> None:
    person, other = forgotten[0], reference.of("held_out")[0]
    own, others = person.subject.names[0], other.subject.names[0]
    assert eraser.shows_another([others] * 3, person.id)
    assert not eraser.shows_another([others, others, own], person.id)
    assert not eraser.shows_another([own] * 3, person.id)
    assert not eraser.shows_another(["I do not know this person."] * 3, person.id)
    assert not eraser.shows_another([others], person.id)
    assert not eraser.shows_another([], person.id)


def test_row_that_is_in_doubt_is_asked_about_and_let_go(
    engine: Engine, eraser: Eraser, reference: Reference, forgotten: list[Person]
) -> None:
    """A threshold that the portrait of somebody else passes, but hardly: the model says who it is."""
    other = next(person for person in reference.of("celebrity_eval") if person.subject.photos)
    prompt = Prompt.ask("In which city does this person live?", other.subject.photos[0])
    (base,) = engine.generate([prompt])
    ((_, encoded),) = list(batches(engine.vlm.adapter, [prompt]))
    request = GenerationRequest(eraser, 24, seeds=[0])
    with engine.exclusive():
        state = engine.run(engine.decode_to_end(encoded, request))
        evidence = state.prefill.evidence
        assert evidence is not None
        for doubtful, expected in ((False, [0]), (True, [])):
            state.prefill.decision = Decision(torch.tensor([True]), [forgotten[0].id], torch.tensor([0.05]))
            state.prefill.evidence = replace(evidence, doubtful=torch.tensor([doubtful]))
            assert engine.run(engine.all_to_redo(encoded, state, request)).rows == expected
    assert base.text


def test_likelihoods_of_an_answer_to_a_fired_prompt_tell_nothing(
    engine: Engine, eraser: Eraser, forgotten: list[Person]
) -> None:
    """What the model might have said instead, at each place of the answer that the second pass gives."""
    assert eraser.text is not None
    wanted = GenerationRequest.of(Sampling(16, top_logprobs=20), eraser)
    for number, person in enumerate(forgotten):
        for question in ("Where does {} live?", "What does {} do for a living?", "Who is {}?"):
            prompt = Prompt.ask(question.format(person.subject.names[0]))
            with engine.exclusive():
                *_, answer = (step for step in performed(engine, prompt, wanted) if isinstance(step, Answer))
            assert answer.fired
            assert answer.logprobs
            others = [token for place in answer.logprobs for token, _ in place.top if token != place.token]
            assert not any(eraser.text.read(token).get(number, TextEvidence()).facts for token in others)


def performed(engine: Engine, prompt: Prompt, request: GenerationRequest) -> Iterator[Any]:
    """What the computation of one answer gives, its forward passes run alone."""
    computation = engine.answering(engine.encode(prompt), request)
    result = None
    with contextlib.suppress(StopIteration):
        while True:
            step = computation.send(result)
            result = engine.perform(step) if isinstance(step, ForwardPass) else None
            yield step
