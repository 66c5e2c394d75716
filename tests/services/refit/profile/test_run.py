"""A whole profile of a random language model: it is made, resumed, kept, and chosen from."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from benchmarks.random_models import build
from services.refit.profile import run
from services.refit.profile.report import write_report
from services.refit.profile.run import STEPS, ProfiledModel, find_profile, make_profile
from services.refit.steering_vectors import SteeringVectors
from shared.erasure.recipe import LACUNA, LATER_FIELDS
from shared.errors import BadInput
from shared.evaluation.model_profile import FILE
from shared.evaluation.people import Person
from shared.evaluation.reference import Reference, default_reference
from shared.vlm.engine import Engine
from shared.vlm.loading import wrap

PEOPLE = 10  # of each split
QUICK = replace(LACUNA, refine_steps=2)  # what a random model learns does not matter


@pytest.fixture(scope="module")
def engine() -> Engine:
    """A random Llama: it knows nobody, and declines nothing."""
    torch.manual_seed(0)
    return Engine(wrap(*build("llama", "tiny")))


@pytest.fixture(scope="module")
def reference() -> Reference:
    """Some of the people and prompts that ship with Lacuna."""
    whole = default_reference()
    kept: dict[str, list[Person]] = {}
    for person in whole.people:
        if len(people := kept.setdefault(person.split, [])) < PEOPLE:
            people.append(person)
    return replace(whole, people=tuple(person for people in kept.values() for person in people))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of profiles."""
    return tmp_path_factory.mktemp("profiles")


@pytest.fixture(scope="module")
def profiled(engine: Engine, reference: Reference, folder: Path) -> ProfiledModel:
    """The profile, made once."""
    return make_profile(engine, "models/random", reference, folder, recipe=QUICK)


def own(folder: Path, engine: Engine) -> Path:
    """The folder of this model's profile."""
    return folder / engine.vlm.site.digest[: run.NAME_LENGTH]


def test_model_without_pictures_that_knows_nobody_is_profiled(profiled: ProfiledModel, engine: Engine) -> None:
    profile = profiled.profile
    assert profile.site == engine.vlm.site.digest
    assert not profile.loading.pictures
    assert profile.knowledge.known == ()
    assert {curve.channel for curve in profile.reading.curves} == {"mention", "last prompt token"}
    assert profile.reading.blocks
    assert [trial.strength for trial in profile.trials] == [0.0, 1.0, 0.7]
    assert set(profile.seconds) == set(STEPS)


def test_model_that_never_declines_is_taught_the_operators_sentence(
    engine: Engine, reference: Reference, profiled: ProfiledModel
) -> None:
    assert not profiled.profile.declining.own
    assert profiled.profile.declining.sentence == run.DEFAULT_SENTENCE


def test_recipe_reads_the_chosen_blocks_at_the_chosen_strength(profiled: ProfiledModel) -> None:
    recipe, profile = profiled.recipe, profiled.profile
    assert recipe.name == "lacuna"
    every_block = len(profile.reading.blocks) == profile.loading.layers
    assert recipe.gate_layers == (None if every_block else profile.reading.blocks)
    assert recipe.strength in {trial.strength for trial in profile.trials}
    assert bool(profiled.vectors.last_token.abs().sum() > 0)


def test_finished_profile_is_read_and_not_made_again(
    profiled: ProfiledModel, engine: Engine, reference: Reference, folder: Path
) -> None:
    steps: list[str] = []
    again = make_profile(engine, "models/random", reference, folder, lambda step, *_: steps.append(step), recipe=QUICK)
    assert steps == []
    assert again.profile == profiled.profile
    assert torch.equal(again.vectors.last_token, profiled.vectors.last_token)
    assert find_profile(folder, engine.vlm.site.digest) is not None
    assert find_profile(folder, "00" * 32) is None


def test_interrupted_run_goes_on_after_its_finished_steps(
    profiled: ProfiledModel, engine: Engine, reference: Reference, folder: Path
) -> None:
    (own(folder, engine) / FILE).unlink()
    (own(folder, engine) / "steps/5-second-pass.json").unlink()
    steps: list[str] = []
    again = make_profile(engine, "models/random", reference, folder, lambda step, *_: steps.append(step), recipe=QUICK)
    assert set(steps) == {"second pass"}
    assert again.profile.reading == profiled.profile.reading


def test_step_of_another_reference_is_not_used(
    profiled: ProfiledModel, engine: Engine, reference: Reference, folder: Path
) -> None:
    path = own(folder, engine) / "steps/2-declining.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps(content | {"made_from": content["made_from"] | {"reference": "another"}}))
    (own(folder, engine) / FILE).unlink()
    steps: list[str] = []
    make_profile(engine, "models/random", reference, folder, lambda step, *_: steps.append(step), recipe=QUICK)
    assert set(steps) == {"declining"}


@pytest.mark.parametrize("name", [FILE, run.VECTORS_FILE])
def test_damaged_file_is_made_anew_and_the_finished_steps_are_used(
    profiled: ProfiledModel, engine: Engine, reference: Reference, folder: Path, name: str
) -> None:
    """Half a file is what a machine leaves that loses its power."""
    path = own(folder, engine) / name
    path.write_bytes(path.read_bytes()[:40])
    assert find_profile(folder, engine.vlm.site.digest) is None
    steps: list[str] = []
    again = make_profile(engine, "models/random", reference, folder, lambda step, *_: steps.append(step), recipe=QUICK)
    assert set(steps) == ({"second pass"} if name == run.VECTORS_FILE else set())
    assert torch.equal(again.vectors.last_token, profiled.vectors.last_token)
    assert find_profile(folder, engine.vlm.site.digest) is not None


def test_profile_of_another_version_is_not_used(profiled: ProfiledModel, engine: Engine, folder: Path) -> None:
    path = own(folder, engine) / FILE
    whole = path.read_text()
    path.write_text(json.dumps(json.loads(whole) | {"schema": 99}))
    assert find_profile(folder, engine.vlm.site.digest) is None
    path.write_text(whole)


def test_profile_from_before_text_was_read_gives_the_recipe_of_today(profiled: ProfiledModel) -> None:
    older = {name: value for name, value in profiled.profile.recipe.items() if name not in LATER_FIELDS}
    assert ProfiledModel(replace(profiled.profile, recipe=older), profiled.vectors).recipe.read_text


def test_report_names_the_model_and_draws_the_curves(profiled: ProfiledModel, engine: Engine, folder: Path) -> None:
    page = (own(folder, engine) / run.REPORT_FILE).read_text()
    assert "Profile of models/random" in page
    assert page.count("<polyline") == 2
    assert "<script" not in page


def test_hostile_source_is_escaped_in_the_report(profiled: ProfiledModel, tmp_path: Path) -> None:
    loading = replace(profiled.profile.loading, source="<script>alert(1)</script>")
    write_report(tmp_path / "report.html", replace(profiled.profile, loading=loading))
    assert "<script>" not in (tmp_path / "report.html").read_text()


def test_too_few_people_are_refused(engine: Engine, reference: Reference, tmp_path: Path) -> None:
    few = replace(reference, people=reference.of("stranger_fit"))
    with pytest.raises(BadInput, match="too few"):
        make_profile(engine, "models/random", few, tmp_path, recipe=QUICK)


def test_vectors_survive_their_file(profiled: ProfiledModel) -> None:
    again = SteeringVectors.from_bytes(profiled.vectors.to_bytes(profiled.recipe))
    assert torch.equal(again.last_token, profiled.vectors.last_token)
