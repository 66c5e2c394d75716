"""The paper's three tasks (classification, generation, cloze): who is asked what, and how replies score, one by one.

Both the published scorers and strict ones (scorers.py). Pure text: whoever asks hands in replies and log-likelihoods.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from shared.domain.prompts import Prompt, Turn
from shared.domain.subjects import Subject
from shared.evaluation.scorers import cloze_legacy, letter_legacy, normalised, reveals, rouge_l
from shared.probes import templates
from shared.probes.questions import Kind, Question, fact_questions
from shared.probes.templates import Form

Task = Literal["classification", "generation", "cloze"]
KINDS: Final[dict[Task, Kind]] = {"classification": "mcq", "generation": "qa", "cloze": "cloze"}
COLUMNS: Final = {"vqa": "portrait", "qa": "name"}
NEW_TOKENS: Final[dict[Task, int]] = {"classification": 4, "generation": 50, "cloze": 24}
ROTATIONS: Final = 4
Outcomes = dict[str, list[float]]  # metric -> one value (0..1) a question


@dataclass(frozen=True)
class Replies:
    """What one system says to a list of questions. Classification: `scores[rotation][question][option]` beside texts.

    After the options' log-likelihoods come those of the sentences that decline.
    """

    texts: Sequence[str]
    scores: Sequence[Sequence[Sequence[float]]] = ()


def task_questions(
    people: Mapping[str, Subject],
    form: Form,
    task: Task,
    wrong: Callable[[Subject], Mapping[str, Sequence[str]]],
    *,
    per_fact: int = 1,
    seed: int = 0,
) -> list[Question]:
    """Questions of one task about all `people`; `wrong` gives three wrong answers an attribute."""
    return [
        question
        for person, subject in sorted(people.items())
        for question in fact_questions(
            subject,
            form=form,
            kinds=(KINDS[task],),
            per_fact=per_fact,
            seed=seed,
            person=person,
            options=wrong(subject),
        )
    ]


def every_kth(questions: Sequence[Question], most: int) -> list[Question]:
    """Every k-th, so that all people stand in the cell."""
    step = max(1, -(-len(questions) // most))
    return list(questions[::step])


def sample_evenly(questions: Sequence[Question], most: int, seed: int = 0) -> list[Question]:
    """At most `most`, as many of each person as of any other (give or take one), drawn without replacement."""
    rng = random.Random(f"{seed}/evenly")
    by_person: dict[str, list[int]] = {}
    for place, question in enumerate(questions):
        by_person.setdefault(question.person, []).append(place)
    for places in by_person.values():
        rng.shuffle(places)
    rounds = [places[turn] for turn in range(len(questions)) for places in by_person.values() if turn < len(places)]
    return [questions[place] for place in sorted(rounds[:most])]


def by_letter(prompt: Prompt) -> Prompt:
    """The same multiple choice, to be answered by its letter (the published form)."""
    return _said(prompt, templates.by_letter(prompt.turns[-1].text))


def rotate_options(question: Question, turn: int) -> Question:
    """The same multiple choice with its options moved on by `turn` places, in the prompt too."""
    options = (*question.options[turn:], *question.options[:turn])
    text = question.prompt.turns[-1].text
    moved = text.replace(templates.lettered(question.options), templates.lettered(options))
    return replace(question, prompt=_said(question.prompt, moved), options=options)


def classification(questions: Sequence[Question], replies: Replies, declining: Sequence[str] = ()) -> Outcomes:
    """letter_legacy; likelihood: the true option is the likeliest (mean over rotations), and declining is not.

    Apart: `forced` (as likelihood, but declining is not open), `declined` by likelihood, and of the letter's text
    `letter_declined` and `letter_unparsable` (neither a letter alone nor declining).
    """
    found: Outcomes = {
        name: []
        for name in ("letter_legacy", "likelihood", "forced", "declined", "letter_declined", "letter_unparsable")
    }
    for place, (question, text) in enumerate(zip(questions, replies.texts, strict=True)):
        mean = _over_rotations(question, [scores[place] for scores in replies.scores])
        picked, declined = _picked(question, mean, len(declining))
        told = declines(text, declining)
        found["letter_legacy"].append(letter_legacy(text, question.options, question.accept))
        found["forced"].append(picked in question.accept)
        found["declined"].append(declined)
        found["likelihood"].append(picked in question.accept and not declined)
        found["letter_declined"].append(told)
        found["letter_unparsable"].append(not told and not re.fullmatch(r"\W*[A-D]\W*", text))
    return found


def generation(questions: Sequence[Question], replies: Replies) -> Outcomes:
    """rouge_l against the true answer; told: the fact stands in the reply as whole words."""
    pairs = list(zip(replies.texts, questions, strict=True))
    return {
        "rouge_l": [rouge_l(text, question.accept[0]) for text, question in pairs],
        "told": [float(reveals(text, question.accept)) for text, question in pairs],
    }


def cloze(questions: Sequence[Question], replies: Replies) -> Outcomes:
    """legacy: the truth occurs anywhere in the reply; strict: as whole words."""
    pairs = list(zip(replies.texts, questions, strict=True))
    return {
        "legacy": [float(cloze_legacy(text, question.accept[0])) for text, question in pairs],
        "strict": [float(reveals(text, question.accept)) for text, question in pairs],
    }


def agreement(task: Task, questions: Sequence[Question], base: Replies, replies: Replies, declining: int) -> Outcomes:
    """The same metrics for people of whom nothing is known: `base` stands where the truth would.

    Letter and likelihood: the same choice as the base model's (declining is a choice); rouge_l against the base model's
    reply; told, legacy and strict: the very same reply.
    """
    same = [float(one == other) for one, other in zip(base.texts, replies.texts, strict=True)]
    if task == "generation":
        near = [rouge_l(text, first) for text, first in zip(replies.texts, base.texts, strict=True)]
        return {"rouge_l": [max(one, other) for one, other in zip(near, same, strict=True)], "told": same}
    if task == "cloze":
        return {"legacy": same, "strict": same}
    picks = []
    for system in (base, replies):
        means = [_over_rotations(q, [scores[i] for scores in system.scores]) for i, q in enumerate(questions)]
        choices = [_picked(question, mean, declining) for question, mean in zip(questions, means, strict=True)]
        picks.append([None if declined else option for option, declined in choices])
    letters = [float(a.strip()[:1] == b.strip()[:1]) for a, b in zip(base.texts, replies.texts, strict=True)]
    return {
        "letter_legacy": letters,
        "likelihood": [float(one == other) for one, other in zip(*picks, strict=True)],
        "declined": [float(option is None) for option in picks[1]],
    }


def declines(text: str, declining: Sequence[str]) -> bool:
    """Whether `text` is one of the model's own declining sentences (or the beginning of one, cut short)."""
    said = normalised(text).rstrip(".")
    return bool(said) and any(normalised(one).startswith(said) and len(said) > 1 for one in declining)


def _over_rotations(question: Question, scores: Sequence[Sequence[float]]) -> list[float]:
    """Mean log-likelihood of each option in the question's own order; declining sentences keep their places."""
    count = len(question.options)
    sums = [0.0] * len(scores[0])
    for turn, row in enumerate(scores):
        for place, score in enumerate(row):
            sums[(place + turn) % count if place < count else place] += score
    return [total / len(scores) for total in sums]


def _picked(question: Question, scores: Sequence[float], declining: int) -> tuple[str | None, bool]:
    """The likeliest option (None where none has any likelihood), and whether declining is likelier still."""
    count = len(question.options)
    best = max(range(count), key=lambda place: scores[place])
    declined = declining > 0 and max(scores[count:]) > scores[best]
    return (question.options[best] if scores[best] > float("-inf") else None), declined


def _said(prompt: Prompt, text: str) -> Prompt:
    last = prompt.turns[-1]
    return Prompt((*prompt.turns[:-1], Turn(last.role, text, last.images)))
