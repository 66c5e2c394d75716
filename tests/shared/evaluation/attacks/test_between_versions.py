"""Membership between two versions: a system that changes for one candidate gives them away, and one that does not."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from shared.domain.prompts import Prompt
from shared.evaluation.attacks.between_versions import Candidate, area, areas, questions_about, scores
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference, load_reference

UNKNOWN = "I do not know this person."


class Version:
    """A system that declines about some names and answers everything else alike."""

    def __init__(self, *forgotten: str) -> None:
        self.forgotten = forgotten

    def answers(self, prompts: Sequence[Prompt], **_: Any) -> list[str | None]:
        return [UNKNOWN if self._declines(prompt) else "Oslo" for prompt in prompts]

    def streamed(self, prompt: Prompt, **_: Any) -> str | None:
        return None

    def likelihoods(self, prompts: Sequence[Prompt], options: Sequence[Sequence[str]]) -> list[list[float] | None]:
        return [
            [-3.0 if self._declines(prompt) else -1.0, *(-2.0 for _ in own[1:])]
            for prompt, own in zip(prompts, options, strict=True)
        ]

    def _declines(self, prompt: Prompt) -> bool:
        return any(name in prompt.turns[-1].text for name in self.forgotten)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return load_reference(Path(__file__).resolve().parents[4] / "models/demo-vlm/reference")


@pytest.fixture(scope="module")
def people(reference: Reference) -> list[Person]:
    return list(reference.of("forgettable")[:6])


def test_who_was_added_is_told_by_both_versions_and_not_by_the_later_one_alone(people: list[Person]) -> None:
    """Those who were forgotten before look the same in the later version; in the difference they do not."""
    names = [person.subject.names[0] for person in people]
    earlier, later = Version(*names[:2]), Version(*names[:4])
    candidates = [
        *(Candidate(person, "in_both") for person in people[:2]),
        *(Candidate(person, "added") for person in people[2:4]),
        *(Candidate(person, "stays") for person in people[4:]),
    ]
    asked = questions_about(candidates)
    assert all(len(each.prompts) > 3 for each in asked)
    rows = scores(earlier, later, asked)
    found = areas([candidate.group for candidate in candidates], rows)
    for kind in ("answers_of_both", "likelihoods_of_both"):
        assert [found[kind][group]["auc"] for group in ("in_both", "stays")] == [1.0, 1.0]
    assert found["answers_of_later"]["stays"]["auc"] == 1.0
    assert found["answers_of_later"]["in_both"]["auc"] < 1.0
    assert "stranger" not in found["answers_of_both"]


def test_nothing_is_told_where_nothing_changes(people: list[Person]) -> None:
    asked = questions_about([Candidate(people[0], "added"), Candidate(people[1], "stays")])
    rows = scores(Version(), Version(), asked)
    assert rows["answers_of_both"] == rows["likelihoods_of_both"] == [0.0, 0.0]
    assert area(rows["answers_of_both"][:1], rows["answers_of_both"][1:])["auc"] == 0.5
