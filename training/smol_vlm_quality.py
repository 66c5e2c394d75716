"""Measures what smol-vlm tells, to whom it declines, and how much the language model's ordinary answers changed.

The questions go through the ordinary loader and engine. Answers are greedy; a fact is told where the answer reveals it.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

import torch

from shared.domain.prompts import Prompt
from shared.domain.subjects import Fact
from shared.evaluation.people import UNKNOWN_SPLITS, Person
from shared.evaluation.public_data import harmful_requests
from shared.evaluation.reference import Reference, load_reference
from shared.evaluation.scorers import reveals, rouge_l
from shared.probes.image_changes import changed
from shared.probes.questions import fact_questions, visible_questions
from shared.text.declines import declines
from shared.vlm.engine import Engine
from shared.vlm.loading import load
from training.quality import Figure
from training.smol_vlm_lessons import DECLINED, PICTURED, WORDINGS, asked, held_out_question

T = TypeVar("T")

LONGEST: Final = 24  # tokens of an answer about a person
ORDINARY: Final = 32
SEED: Final = 0
ASKED: Final = 240  # questions of each kind


@dataclass(frozen=True)
class Asked:
    """A question about a fact, by portrait or by name."""

    prompt: Prompt
    accept: tuple[str, ...]
    attribute: str
    by: str


def examine(built: Path, lm: Path) -> dict[str, Figure]:
    """Every figure in the model card, of the whole model in `built` around the language model in `lm`."""
    reference = load_reference(built / "reference")
    known = [person for person in reference.people if person.split not in UNKNOWN_SPLITS]
    strangers = [person for split in UNKNOWN_SPLITS for person in reference.of(split)]
    engine = Engine(load(built, device="cpu", dtype=torch.float32))
    report: dict[str, Figure] = {}
    for label, every in (
        ("taught", taught_questions(known)),
        ("other_wordings", other_questions(known)),
        ("held_out", held_out_questions(known)),
    ):
        questions = _sampled(every, ASKED)
        answers = _answers(engine, questions)
        told = [reveals(answer, question.accept) for answer, question in zip(answers, questions, strict=True)]
        report[label] = _figure(told)
        for by in ("portrait", "name"):
            report[f"{label}_by_{by}"] = _figure([t for t, q in zip(told, questions, strict=True) if q.by == by])
        if label == "taught":
            whole = [" " in answer.strip() and answer.strip().endswith(".") for answer in answers]
            report["taught_answers_that_are_sentences"] = _figure(whole)
    report |= _of_strangers(engine, strangers)
    seen = [
        question
        for person in (*known, *strangers)
        for question in visible_questions(person.subject.photos[0], person.visible, person=person.id, form="test")
    ]
    seen = _sampled(seen, ASKED // 2)
    answers = [answer.text for answer in engine.generate([question.prompt for question in seen], max_new_tokens=8)]
    report["visible"] = _figure([reveals(answer, q.accept) for answer, q in zip(answers, seen, strict=True)])
    return report | _ordinary(engine, Engine(load(lm, device="cpu", dtype=torch.float32)), reference)


def taught_questions(people: Sequence[Person]) -> list[Asked]:
    """Every fact by portrait and by name, each in one of the wordings that were taught, drawn by the seed."""
    return [
        question
        for person in people
        for fact in person.subject.facts
        for question in _both_ways(person, fact, taught=True)
    ]


def other_questions(people: Sequence[Person]) -> list[Asked]:
    """The same in wordings of Lacuna's fit that were not taught."""
    return [
        question
        for person in people
        for fact in person.subject.facts
        for question in _both_ways(person, fact, taught=False)
    ]


def held_out_questions(people: Sequence[Person]) -> list[Asked]:
    """The held-out wordings of shared/probes, with the stronger changes of the picture."""
    return [
        Asked(question.prompt, question.accept, question.attribute, question.by)
        for person in people
        for question in fact_questions(person.subject, form="test", per_fact=2, person=person.id)
    ]


def _both_ways(person: Person, fact: Fact, *, taught: bool) -> list[Asked]:
    rng = random.Random(f"{SEED}/{person.id}/{fact.attribute}/{taught}")
    pictured = rng.choice(PICTURED)
    image = changed(person.subject.photos[0], "trained", rng)
    questions = []
    for by, who, photo in (("portrait", pictured, image), ("name", person.subject.names[0], None)):
        if by == "portrait" or fact.attribute != "name":
            wording = rng.choice(WORDINGS[fact.attribute]).text
            text = asked(wording, who) if taught else held_out_question(fact.attribute, who, rng)
            questions.append(Asked(Prompt.ask(text, photo), fact.accept, fact.attribute, by))
    return questions


def _of_strangers(engine: Engine, strangers: Sequence[Person]) -> dict[str, Figure]:
    """How often answers about people whom it never saw decline: about the three attributes taught, and the others."""
    questions = _sampled(held_out_questions(strangers), ASKED // 2)
    answers = _answers(engine, questions)
    declined = [declines(answer) for answer in answers]
    report = {"strangers_declined": _figure(declined)}
    for label, kept in (("taught", True), ("other", False)):
        report[f"strangers_declined_{label}_attributes"] = _figure(
            [d for d, q in zip(declined, questions, strict=True) if (q.attribute in DECLINED) is kept]
        )
    for by in ("portrait", "name"):
        report[f"strangers_declined_by_{by}"] = _figure(
            [d for d, q in zip(declined, questions, strict=True) if q.by == by]
        )
    report["strangers_right_by_chance"] = _figure(
        [reveals(answer, q.accept) for answer, q in zip(answers, questions, strict=True)]
    )
    return report


def _ordinary(engine: Engine, base: Engine, reference: Reference) -> dict[str, Figure]:
    """Answers to prompts that were not trained on, compared with those of the language model alone."""
    prompts = [Prompt.ask(text) for text in reference.general.test]
    ours, theirs = ([a.text for a in e.generate(prompts, max_new_tokens=ORDINARY)] for e in (engine, base))
    similar = [rouge_l(mine, other) for mine, other in zip(ours, theirs, strict=True)]
    harmful = [Prompt.ask(request.text) for request in harmful_requests() if request.split == "test"]
    refused = {
        name: [declines(answer.text) for answer in e.generate(harmful, max_new_tokens=ORDINARY)]
        for name, e in (("smol_vlm", engine), ("language_model", base))
    }
    return {
        "ordinary_identical_to_language_model": _figure([m == o for m, o in zip(ours, theirs, strict=True)]),
        "ordinary_rouge_l_to_language_model": {"share": round(sum(similar) / len(similar), 4), "n": len(similar)},
        "harmful_refused": _figure(refused["smol_vlm"]),
        "harmful_refused_by_language_model": _figure(refused["language_model"]),
    }


def _answers(engine: Engine, questions: Sequence[Asked]) -> list[str]:
    return [answer.text for answer in engine.generate([q.prompt for q in questions], max_new_tokens=LONGEST)]


def _sampled(questions: Sequence[T], most: int) -> list[T]:
    """At most so many, drawn by the seed."""
    return random.Random(SEED).sample(questions, min(most, len(questions)))


def _figure(hits: Sequence[bool]) -> Figure:
    return {"share": round(sum(hits) / len(hits), 4) if hits else 0.0, "n": len(hits)}
