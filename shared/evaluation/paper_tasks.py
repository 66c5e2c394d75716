"""The paper's three tasks (classification, generation, cloze): their questions, and the score of each reply.

Replies are scored by the published scorers and by strict ones (scorers.py). Pure text: the caller asks the model and
passes replies and log-likelihoods.
"""

import random
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from shared.domain.prompts import Prompt, Turn
from shared.domain.subjects import Subject
from shared.evaluation.scorers import cloze_legacy, letter_legacy, reveals, rouge_l
from shared.probes import templates
from shared.probes.questions import Kind, Question, fact_questions
from shared.probes.templates import Form
from shared.text.declines import declines

Task = Literal["classification", "generation", "cloze"]
KINDS: Final[dict[Task, Kind]] = {"classification": "mcq", "generation": "qa", "cloze": "cloze"}
COLUMNS: Final = {"vqa": "portrait", "qa": "name"}
NEW_TOKENS: Final[dict[Task, int]] = {"classification": 4, "generation": 50, "cloze": 24}
ROTATIONS: Final = 4
Outcomes = dict[str, list[float]]  # metric -> one value (0..1) for each question


@dataclass(frozen=True)
class Replies:
    """The replies of one system to a list of questions.

    For classification, `scores[rotation][question][option]` are log-likelihoods; after those of the options come those
    of the sentences that decline to answer.
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
    """Questions of one task about all `people`; `wrong` gives three wrong answers for each attribute of a person."""
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
    """Every k-th question, at most `most`, so that all people are represented."""
    step = max(1, -(-len(questions) // most))
    return list(questions[::step])


def sample_evenly(questions: Sequence[Question], most: int, seed: int = 0) -> list[Question]:
    """At most `most` questions, drawn without replacement; the numbers for any two people differ by at most one."""
    rng = random.Random(f"{seed}/evenly")
    by_person: dict[str, list[int]] = {}
    for index, question in enumerate(questions):
        by_person.setdefault(question.person, []).append(index)
    for indices in by_person.values():
        rng.shuffle(indices)
    rounds = [indices[turn] for turn in range(len(questions)) for indices in by_person.values() if turn < len(indices)]
    return [questions[index] for index in sorted(rounds[:most])]


def by_letter(prompt: Prompt) -> Prompt:
    """The same multiple choice, to be answered by its letter (the published form)."""
    return _with_text(prompt, templates.by_letter(prompt.turns[-1].text))


def rotate_options(question: Question, turn: int) -> Question:
    """The same multiple choice with its options rotated by `turn` places, in the prompt too."""
    options = (*question.options[turn:], *question.options[:turn])
    text = question.prompt.turns[-1].text
    moved = text.replace(templates.lettered(question.options), templates.lettered(options))
    return replace(question, prompt=_with_text(question.prompt, moved), options=options)


def classification(questions: Sequence[Question], replies: Replies, declining: Sequence[str] = ()) -> Outcomes:
    """`letter_legacy`, and `likelihood`: the true option is likelier than all others and than declining.

    Reported apart: `forced` (like `likelihood`, but declining is not a choice), `declined` by likelihood, and for the
    reply with a letter `letter_declined` and `letter_unparsable` (neither a single letter nor declining).
    """
    outcomes: Outcomes = {
        name: []
        for name in ("letter_legacy", "likelihood", "forced", "declined", "letter_declined", "letter_unparsable")
    }
    for index, (question, text) in enumerate(zip(questions, replies.texts, strict=True)):
        mean = _over_rotations(question, [scores[index] for scores in replies.scores])
        choice = _choice(question, mean, len(declining))
        text_declines = declines(text, declining)
        correct = choice.option in question.accept
        outcomes["letter_legacy"].append(letter_legacy(text, question.options, question.accept))
        outcomes["forced"].append(correct)
        outcomes["declined"].append(choice.declined)
        outcomes["likelihood"].append(correct and not choice.declined)
        outcomes["letter_declined"].append(text_declines)
        outcomes["letter_unparsable"].append(not text_declines and not re.fullmatch(r"\W*[A-D]\W*", text))
    return outcomes


def generation(questions: Sequence[Question], replies: Replies) -> Outcomes:
    """`rouge_l` against the true answer, and `told`: the reply contains the fact as whole words."""
    pairs = list(zip(replies.texts, questions, strict=True))
    return {
        "rouge_l": [rouge_l(text, question.accept[0]) for text, question in pairs],
        "told": [float(reveals(text, question.accept)) for text, question in pairs],
    }


def cloze(questions: Sequence[Question], replies: Replies) -> Outcomes:
    """`legacy`: the true answer occurs anywhere in the reply; `strict`: as whole words."""
    pairs = list(zip(replies.texts, questions, strict=True))
    return {
        "legacy": [float(cloze_legacy(text, question.accept[0])) for text, question in pairs],
        "strict": [float(reveals(text, question.accept)) for text, question in pairs],
    }


def agreement(task: Task, questions: Sequence[Question], base: Replies, replies: Replies, declining: int) -> Outcomes:
    """The same metrics for people about whom nothing is known: the base model's reply takes the place of the truth.

    Letter and likelihood: the same choice as the base model's (declining is a choice). `rouge_l`: against the base
    model's reply. `told`, `legacy` and `strict`: exactly the same reply. `declining` is the number of sentences that
    decline.
    """
    same = [float(base_text == text) for base_text, text in zip(base.texts, replies.texts, strict=True)]
    if task == "generation":
        overlap = [rouge_l(text, base_text) for text, base_text in zip(replies.texts, base.texts, strict=True)]
        return {"rouge_l": [max(pair) for pair in zip(overlap, same, strict=True)], "told": same}
    if task == "cloze":
        return {"legacy": same, "strict": same}
    base_options, options = _chosen_options(questions, base, declining), _chosen_options(questions, replies, declining)
    letters = [float(a.strip()[:1] == b.strip()[:1]) for a, b in zip(base.texts, replies.texts, strict=True)]
    return {
        "letter_legacy": letters,
        "likelihood": [float(first == second) for first, second in zip(base_options, options, strict=True)],
        "declined": [float(option is None) for option in options],
    }


def _over_rotations(question: Question, scores: Sequence[Sequence[float]]) -> list[float]:
    """Mean log-likelihood of each option, in the question's own order; declining sentences keep their positions."""
    count = len(question.options)
    sums = [0.0] * len(scores[0])
    for turn, row in enumerate(scores):
        for position, score in enumerate(row):
            sums[(position + turn) % count if position < count else position] += score
    return [total / len(scores) for total in sums]


@dataclass(frozen=True)
class _Choice:
    """The likeliest option (None where none has any likelihood), and whether declining is likelier still."""

    option: str | None
    declined: bool


def _choice(question: Question, scores: Sequence[float], declining: int) -> _Choice:
    count = len(question.options)
    best = max(range(count), key=lambda position: scores[position])
    option = question.options[best] if scores[best] > float("-inf") else None
    return _Choice(option, declined=declining > 0 and max(scores[count:]) > scores[best])


def _chosen_options(questions: Sequence[Question], replies: Replies, declining: int) -> list[str | None]:
    """The likeliest option of each question; None where declining is likelier."""
    options: list[str | None] = []
    for index, question in enumerate(questions):
        mean = _over_rotations(question, [scores[index] for scores in replies.scores])
        choice = _choice(question, mean, declining)
        options.append(None if choice.declined else choice.option)
    return options


def _with_text(prompt: Prompt, text: str) -> Prompt:
    last = prompt.turns[-1]
    return Prompt((*prompt.turns[:-1], Turn(last.role, text, last.images)))
