"""The whole audit with public figures alone, whom nobody has photographed; of a text-only model, and of one with
pictures. On random models.
"""

from dataclasses import replace
from typing import Any, NamedTuple

import pytest
import torch
from PIL.Image import Image

from benchmarks.random_models import build
from services.audit import about_tickets, black_box, paper_tasks, suite
from services.audit.suite import Suite
from services.audit.verdict import Thresholds, judge
from services.refit.base_statistics import compute_statistics
from services.refit.fitting import fit_subject
from services.refit.steering_vectors import SteeringVectors
from shared.core import progress
from shared.core.progress import Progress
from shared.domain.subjects import Subject
from shared.erasure.assembly import assemble
from shared.erasure.eraser import Eraser
from shared.erasure.recipe import LACUNA
from shared.errors import BadInput
from shared.evaluation.reference import Reference, default_reference
from shared.vlm.engine import Engine
from shared.vlm.loading import wrap

FEW = {"celebrity_fit": 4, "calibration": 3, "held_out": 2, "celebrity_eval": 2, "stranger_fit": 4, "stranger_eval": 2}


@pytest.fixture(scope="module", params=["llama", "llava"])
def engine(request: Any) -> Engine:
    """Every fourth token ends an answer: a random model would end none before its limit."""
    torch.manual_seed(0)
    made = Engine(wrap(*build(request.param, "tiny")))
    made.end_tokens |= frozenset(range(0, made.vlm.model.get_input_embeddings().num_embeddings, 4))
    return made


@pytest.fixture(scope="module")
def figures() -> Reference:
    """A few of the people that ship with Lacuna; the strangers have portraits."""
    whole = default_reference()
    people = tuple(person for split, most in FEW.items() for person in whole.of(split)[:most])
    general = replace(whole.general, fit=whole.general.fit[:3], calibration=whole.general.calibration[:3])
    return replace(whole, people=people, general=general, harmful=replace(whole.harmful, fit=whole.harmful.fit[:4]))


@pytest.fixture(autouse=True)
def few_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(about_tickets, "IN_FULL", 4)
    monkeypatch.setattr(black_box, "ATTACKS", 4)
    monkeypatch.setattr(suite, "NEAR_QUESTIONS", 1)
    monkeypatch.setattr(suite, "BYSTANDER_QUESTIONS", 12)
    monkeypatch.setattr(paper_tasks, "QUESTIONS_PER_CELL", 2)


def eraser_about_somebody(engine: Engine, reference: Reference, photos: tuple[Image, ...]) -> "Forgotten":
    """An eraser for the first held-out figure whose name this random model can tell from other words."""
    site = engine.vlm.site
    ones = torch.ones(len(site.layers), site.hidden_size)
    statistics = compute_statistics(engine, reference, LACUNA, lambda _: None, vectors=SteeringVectors(ones, ones))
    for person in reversed(default_reference().of("held_out")):
        subject = replace(person.subject, photos=photos)
        try:
            fit = fit_subject(engine, LACUNA, statistics, "T-0", subject)
        except BadInput:
            continue
        return Forgotten(subject, assemble(LACUNA, statistics, site, [fit]))
    raise AssertionError("this random model can tell nobody's name from other words")


class Forgotten(NamedTuple):
    """Somebody, and an eraser that has forgotten them."""

    subject: Subject
    eraser: Eraser


def test_audit_of_a_public_figure_says_what_it_could_not_ask_and_how_far_it_is(
    engine: Engine, figures: Reference, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The retain panel asks about the figures of the fit. A text-only model is shown nobody's photograph.

    Every stage but the checks of integrity counts from none to all.
    """
    photos = () if engine.reads_pictures else figures.of("stranger_fit")[0].subject.photos
    subject, eraser = eraser_about_somebody(engine, figures, photos)
    counted: dict[str, list[dict[str, Any]]] = {}
    watched = Progress(
        "audit", lambda now: counted.setdefault(now.stage, []).extend([now.counts] if now.counts else [])
    )
    with monkeypatch.context() as patched:
        patched.setattr(progress, "WRITE_EVERY_S", 0.0)
        report = Suite(engine, figures).audit(eraser, {"T-0": subject}, watched)
    assert list(counted)[:2] == ["asking about the tickets", "attacking the tickets"]
    for stage, counts in counted.items():
        done = [count["done"] for count in counts]
        totals = {count["total"] for count in counts}
        assert (done, totals) == ([], set()) if stage == "integrity" else done[-1:] == list(totals), stage
        assert done == sorted(done)
        assert done[:1] in ([], [0])
    forget = counted["asking about the tickets"][-1]
    assert forget["total"] == sum(report["panels"][name]["n"] for name in ("forget", "test"))
    assert counted["attacking the tickets"][-1]["what"] == "attacks"
    assert counted["asking the retain set"][-1]["total"] == report["panels"]["retain"]["n"]
    assert set(report["panels"]) == {"forget", "test", "retain", "held_out", "celebrity", "stranger"}
    assert report["panels"]["retain"]["people"] == FEW["celebrity_fit"]
    assert report["left_out"]["visible"] == "no ticket has a photograph that the model can see"
    assert report["left_out"]["forget/vqa/generation"] == "nothing can be asked by portrait"
    assert any("the set visible (no ticket has a photograph" in part for part in report["not_run"])
    assert report["integrity"]["off_equals_base"]
    reasons = judge(report, Thresholds()).reasons
    assert not any(panel in reason for reason in reasons for panel in ("visible", "integrity: off"))


def test_empty_version_of_a_model_with_few_people_is_audited(engine: Engine, figures: Reference) -> None:
    """Nobody is held out and nobody is a stranger: the report says so, and ordinary prompts prove integrity."""
    few = replace(figures, people=figures.of("calibration"))
    report = Suite(engine, few).audit(Eraser.empty(LACUNA, engine.vlm.site), {}, Progress("audit", lambda _: None))
    assert report["panels"] == {}
    assert report["left_out"] == {
        "retain": "nobody of the reference is in the split retain_fit or celebrity_fit",
        "held_out": "nobody of the reference is in the split held_out",
        "celebrity": "nobody of the reference is in the split celebrity_eval",
        "stranger": "nobody of the reference is in the split stranger_eval",
    }
    assert report["integrity"] == {"off_equals_base": True, "site_matches": True, "finite": True}
    assert judge(report, Thresholds()).word == "passed"
