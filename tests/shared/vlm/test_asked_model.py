"""Attacks on the demo model: it tells of people it learnt and nothing of controls; what it cannot take is None."""

from pathlib import Path

import pytest

from shared.domain.prompts import Prompt
from shared.evaluation.attacks.families import Choice, plan
from shared.evaluation.attacks.observing import bystander_answers, observe, plain_prompts
from shared.evaluation.attacks.results import by_bystander_family, by_family
from shared.evaluation.reference import Reference, load_reference
from shared.vlm.asked_model import AskedModel
from shared.vlm.engine import Engine
from shared.vlm.loading import load

DEMO = Path(__file__).resolve().parents[3] / "models" / "demo-vlm"


@pytest.fixture(scope="module")
def base() -> AskedModel:
    return AskedModel(Engine(load(DEMO)))


@pytest.fixture(scope="module")
def reference() -> Reference:
    return load_reference(DEMO / "reference")


def test_base_model_tells_of_people_it_learnt_and_not_of_controls(base: AskedModel, reference: Reference) -> None:
    people = {person.id: person.subject for person in reference.of("forgettable")[:2]}
    families = ["continued", "pictures", "sampling", "streams", "short", "stopped", "likelihood", "mentions"]
    made = plan(people, reference, Choice(most=4).only(families))
    before, of_controls = observe(base, made.attacks), observe(base, made.controls)
    figures = by_family(made.attacks, before, before, made.controls, of_controls)
    assert tuple(figures) == Choice().only(families).families
    tallies = [family.tally for family in figures.values()]
    assert sum(tally.told_before for tally in tallies) > 0.4 * sum(tally.n for tally in tallies)
    assert sum(tally.told_of_controls for tally in tallies) < 0.15 * sum(tally.controls for tally in tallies)
    prompts = [question.prompt for question in made.bystanders]
    answers, plain = bystander_answers(base, prompts), bystander_answers(base, plain_prompts(made.bystanders))
    kinds = by_bystander_family(made.bystanders, plain, answers, answers, reference.own_wordings)["mentions"]
    assert all(kind.identical == kind.n for kind in kinds.values())


def test_prompt_that_the_model_cannot_take_is_none_and_the_others_are_answered(base: AskedModel) -> None:
    prompts = [Prompt.ask("What colour is the sky?"), Prompt.ask("word " * 2000), Prompt.ask("<image> Hello!")]
    answers = base.answers([*prompts, prompts[0]], max_new_tokens=8)
    assert answers == ["blue", None, None, "blue"]
    assert base.streamed(prompts[1], max_new_tokens=8) is None
    scores = base.likelihoods(prompts, [("blue", "green")] * 3)
    assert scores[2] is None
    assert scores[0] is not None
    assert scores[0][0] > scores[0][1]


def test_system_prompt_stands_before_the_chat(base: AskedModel) -> None:
    told = AskedModel(base.engine, system="Be brief.").answers(
        [Prompt.ask("What colour is the sky?")], max_new_tokens=8
    )
    asked = base.answers([Prompt.ask("What colour is the sky?", system="Be brief.")], max_new_tokens=8)
    assert told == asked
