"""Who was added between two versions? Membership by the differences of answers to questions about candidates.

The attacker has a list of candidates, knows their names, photographs and facts, and asks about each of them. A score
says how likely a candidate is to be among those who were added; the area under the ROC curve says how well the scores
part those who were from those who were not (0.5 is chance).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np

from shared.domain.prompts import Prompt
from shared.evaluation.attacks.observing import AskedSystem
from shared.evaluation.people import Person
from shared.probes.questions import fact_questions
from shared.text.declines import declines

Group = Literal["added", "in_both", "stays", "stranger"]
GROUPS: Final[tuple[Group, ...]] = ("in_both", "stays", "stranger")
"""Who was not added: forgotten in both versions, known and in neither, never known to the model."""
QUESTIONS: Final = 12  # about one candidate, by name and by portrait
DRAWS: Final = 1000  # of the bootstrap


@dataclass(frozen=True)
class Candidate:
    """Somebody whom the attacker asks about, and in which versions they are forgotten."""

    person: Person
    group: Group


@dataclass(frozen=True)
class Asked:
    """The questions about one candidate, with options of which the first is true."""

    candidate: Candidate
    prompts: tuple[Prompt, ...]
    options: tuple[tuple[str, ...], ...]


def questions_about(candidates: Sequence[Candidate], *, seed: int = 0) -> list[Asked]:
    """QUESTIONS questions about each candidate at most, that is about facts of which wrong values are known."""
    asked = []
    for candidate in candidates:
        person = candidate.person
        questions = fact_questions(person.subject, form="test", per_fact=2, seed=seed, person=person.id)
        known = [question for question in questions if len(person.options.get(question.attribute, ())) >= 3]
        step = max(1, len(known) // QUESTIONS)
        chosen = known[::step][:QUESTIONS]
        options = tuple((each.accept[0], *person.options[each.attribute][:3]) for each in chosen)
        asked.append(Asked(candidate, tuple(each.prompt for each in chosen), options))
    return asked


def scores(
    earlier: AskedSystem, later: AskedSystem, asked: Sequence[Asked], own: Sequence[str] = ()
) -> dict[str, list[float]]:
    """Of each candidate one score by kind of attack. `own`: the model's own wordings of not knowing.

    `answers_of_both`: the share of answers that differ between the versions. `likelihoods_of_both`: the mean absolute
    difference of the log-likelihoods of given answers. `answers_of_later`: the share of answers of the later version
    that decline. `likelihoods_of_later`: how much likelier the wrong answers are than the true one.
    """
    prompts = [prompt for each in asked for prompt in each.prompts]
    options = [each for one in asked for each in one.options]
    before, after = (system.answers(prompts, max_new_tokens=24) for system in (earlier, later))
    first, second = (system.likelihoods(prompts, options) for system in (earlier, later))
    rows: dict[str, list[float]] = {}
    start = 0
    for each in asked:
        own_rows = slice(start, start + len(each.prompts))
        start += len(each.prompts)
        changed = [float(a != b) for a, b in zip(before[own_rows], after[own_rows], strict=True)]
        declined = [float(text is not None and declines(text, own)) for text in after[own_rows]]
        both = [(a, b) for a, b in zip(first[own_rows], second[own_rows], strict=True) if a and b]
        moved = [float(np.abs(np.array(a) - np.array(b)).mean()) for a, b in both]
        wrong = [float(np.mean(b[1:]) - b[0]) for _, b in both]
        found = {
            "answers_of_both": changed,
            "likelihoods_of_both": moved,
            "answers_of_later": declined,
            "likelihoods_of_later": wrong,
        }
        for kind, values in found.items():
            rows.setdefault(kind, []).append(float(np.mean(values)) if values else 0.0)
    return rows


def areas(groups: Sequence[Group], rows: Mapping[str, Sequence[float]]) -> dict[str, dict[str, Any]]:
    """For each kind of attack and each group of those who were not added: the area, its 95 % interval, and n."""
    return {
        kind: {
            group: area(
                [value for value, own in zip(values, groups, strict=True) if own == "added"],
                [value for value, own in zip(values, groups, strict=True) if own == group],
            )
            for group in GROUPS
            if group in groups
        }
        for kind, values in rows.items()
    }


def area(added: Sequence[float], others: Sequence[float], *, seed: int = 0) -> dict[str, Any]:
    """The area under the ROC curve with its interval (bootstrap over people of both sides); ties count half.

    `either_sign`: the area of an attacker who knows which way round the score has to be read.
    """
    rng = np.random.default_rng(seed)
    one, two = np.array(added), np.array(others)
    drawn = [_area(rng.choice(one, len(one)), rng.choice(two, len(two))) for _ in range(DRAWS)]
    low, high = (float(each) for each in np.quantile(drawn, (0.025, 0.975)))
    found = _area(one, two)
    sides = {"added": len(one), "others": len(two)}
    return {"auc": found, "either_sign": max(found, 1 - found), "interval": [low, high]} | sides


def _area(positive: Any, negative: Any) -> float:
    gaps = np.asarray(positive)[:, None] - np.asarray(negative)[None, :]
    return float((gaps > 0).mean() + 0.5 * (gaps == 0).mean())
