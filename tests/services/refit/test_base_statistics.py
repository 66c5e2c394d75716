"""Base statistics of any people: without photographs, names or facts, on a tiny random LLaVA."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
import torch
from PIL import Image

from services.refit.base_statistics import compute_statistics
from services.refit.fitting import fit_subject, unused_material
from services.refit.identity_evidence import identity_training_set
from services.refit.steering_vectors import SteeringVectors
from shared.artifacts.retain_sets import RetainRow
from shared.domain.prompts import Prompt
from shared.domain.subjects import Subject
from shared.erasure.base_statistics import BaseStatistics
from shared.erasure.recipe import LACUNA, PROTOTYPE, Recipe
from shared.errors import BadInput
from shared.evaluation.reference import General, Harmful, Person, Reference
from shared.evaluation.synthetic_people import generate_people
from shared.vlm.adapters.base import Encoded
from shared.vlm.engine import Engine
from shared.vlm.loading import wrap
from training.optimization import new_model
from training.tokenizer import build_processor

LAYERS, HIDDEN = 2, 64
SIZES = {"retain_fit": 4, "calibration": 2, "celebrity_fit": 1, "stranger_fit": 2, "forgettable": 1}
PHOTO = Image.new("RGB", (64, 64), (60, 60, 200))


@pytest.fixture(scope="module")
def engine() -> Engine:
    torch.manual_seed(0)
    processor = build_processor(900)
    return Engine(wrap(new_model(processor, layers=LAYERS, hidden=HIDDEN).eval(), processor))


@pytest.fixture(scope="module")
def reference() -> Reference:
    general = General(("What is rain?",), ("What is a comet?", "Hello!"), ("How are you?",))
    harmful = Harmful(("How does one pick a lock?",), ("How does one forge a coin?",), ("Say it: {request}",))
    return Reference(generate_people(0, SIZES), harmful, general, "I do not know.", "No.", "Yes.")


def changed(reference: Reference, change: Callable[[Person], Subject], split: str | None = None) -> Reference:
    """The reference with other subjects, in one split or in all."""
    return replace(
        reference,
        people=tuple(
            replace(person, subject=change(person)) if split in (None, person.split) else person
            for person in reference.people
        ),
    )


def without_photos(person: Person) -> Subject:
    return replace(person.subject, photos=())


def compute(
    engine: Engine, reference: Reference, rows: Sequence[RetainRow] = (), recipe: Recipe = LACUNA
) -> BaseStatistics:
    vectors = SteeringVectors(torch.ones(LAYERS, HIDDEN), torch.ones(LAYERS, HIDDEN))
    return compute_statistics(engine, reference, recipe, lambda _: None, operator_rows=rows, vectors=vectors)


def test_people_without_photographs_give_statistics_of_names(engine: Engine, reference: Reference) -> None:
    """A ticket with a photograph is fitted by its name, and the run is told; a photograph alone is refused."""
    statistics = compute(engine, changed(reference, without_photos))
    assert statistics.identity is not None
    assert statistics.identity.spaces.portraits is None
    assert statistics.identity.spaces.topic is None
    assert statistics.identity.people == 3
    subject = reference.of("forgettable")[0].subject
    assert subject.photos
    fit = fit_subject(engine, LACUNA, statistics, "T-1", subject).identity
    assert fit is not None
    assert (fit.portraits.shape[0], fit.names.shape[0] > 0) == (0, True)
    (note,) = unused_material(engine, statistics, "T-1", subject)
    assert "photographs of T-1 are not used" in note
    assert not unused_material(engine, statistics, "T-1", replace(subject, photos=()))
    with pytest.raises(BadInput, match="nothing by which the gate can recognise anybody"):
        fit_subject(engine, LACUNA, statistics, "T-1", replace(subject, names=()))


def test_people_without_names_give_statistics_of_pictures(engine: Engine, reference: Reference) -> None:
    statistics = compute(engine, changed(reference, lambda person: replace(person.subject, names=())))
    assert statistics.identity is not None
    assert statistics.identity.spaces.names is None
    subject = reference.of("forgettable")[0].subject
    assert fit_subject(engine, LACUNA, statistics, "T-1", subject).identity is not None
    (note,) = unused_material(engine, statistics, "T-1", subject)
    assert "names of T-1 are not used" in note


def test_retained_people_calibrate_what_no_calibration_person_has(engine: Engine, reference: Reference) -> None:
    """One in four of the seven who have a photograph sets the picture's threshold, and takes no part in the fit."""
    whole = identity_training_set(engine, reference)
    few = identity_training_set(
        engine, changed(changed(reference, without_photos, "calibration"), without_photos, "stranger_fit")
    )
    whole, few = whole.in_memory(), few.in_memory()
    assert len(list(whole.faces)) == 6
    assert len(list(few.faces)) == 4
    assert sum(len(batch.rows.rows) for batch in few.pictures) == 12
    assert few.people == whole.people + 1
    assert len(list(few.names)) == len(list(whole.names))


def test_people_without_facts_or_anything_else_are_no_obstacle(engine: Engine, reference: Reference) -> None:
    """Without facts there is no topic; a stranger of whom nothing is known adds nothing."""
    bare = changed(reference, lambda person: replace(person.subject, facts=()))
    statistics = compute(engine, changed(bare, lambda _: Subject((), (), ()), "stranger_fit"))
    assert statistics.identity is not None
    assert statistics.identity.spaces.topic is None
    assert statistics.identity.spaces.portraits is not None
    nobody = replace(reference, people=())
    with pytest.raises(BadInput, match="nobody with a photograph or a name"):
        compute(engine, nobody)


@pytest.mark.parametrize("recipe", [LACUNA, PROTOTYPE], ids=["lacuna", "prototype"])
def test_text_only_model_is_never_shown_a_picture(
    engine: Engine, reference: Reference, recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Photographs of the reference, of the operator's people and prompts, and of a ticket are left out."""
    encode = engine.vlm.adapter.encode

    def encode_text(prompts: Sequence[Prompt]) -> list[Encoded]:
        assert not any(prompt.images for prompt in prompts)
        return encode(prompts)

    subject = reference.of("forgettable")[0].subject
    rows = [
        RetainRow(1, "a", "fit", replace(subject, names=("Ivo Berger",))),
        RetainRow(2, "b", "calibration", Subject((), (PHOTO,), ()), text="What is this?"),
        RetainRow(3, "c", "calibration", Subject((), (), ()), text="What is rain made of?"),
    ]
    monkeypatch.setattr(type(engine), "reads_pictures", False)
    monkeypatch.setattr(engine.vlm.adapter, "encode", encode_text)
    statistics = compute(engine, reference, rows, recipe)
    assert fit_subject(engine, recipe, statistics, "T-1", subject).is_finite
    assert unused_material(engine, statistics, "T-1", subject) == [
        "The photographs of T-1 are not used: the model reads no pictures."
    ]


def test_retained_name_that_is_written_in_another_way_is_left_out(
    engine: Engine, reference: Reference, caplog: pytest.LogCaptureFixture
) -> None:
    """A name that cannot be found in its own prompts costs that person's part in the fit, and not the refit."""
    odd = reference.of("retain_fit")[0]
    span = engine.vlm.adapter.span
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(
            engine.vlm.adapter,
            "span",
            lambda prompt, words: span(prompt, "nobody at all" if words == odd.subject.names[0] else words),
        )
        names = list(identity_training_set(engine, reference).names)
    assert len(names) == len(list(identity_training_set(engine, reference).names)) - 2
    assert f"the name of {odd.id} takes no part in the fit" in caplog.text


def test_long_stages_are_counted(engine: Engine, reference: Reference) -> None:
    stages: list[str] = []
    counted: dict[str, list[tuple[int, int]]] = {}

    def count(done: int, total: int) -> None:
        counted.setdefault(stages[-1], []).append((done, total))

    vectors = SteeringVectors(torch.ones(LAYERS, HIDDEN), torch.ones(LAYERS, HIDDEN))
    compute_statistics(engine, reference, LACUNA, stages.append, count=count, vectors=vectors)
    assert stages == ["reading the retain set", "measuring how sure the model is of its answers"]
    for stage in stages:
        assert counted[stage]
        assert all(0 < done <= total for done, total in counted[stage])
