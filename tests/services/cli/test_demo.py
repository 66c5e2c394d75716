"""What `lacuna demo` makes of its answers: the figures as JSON, the lines in the terminal, the page."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from services.cli.demo.plan import DemoPlan, demo_model_plan, real_model_plan
from services.cli.demo.report import write_page
from services.cli.demo.results import DemoResult, highlights
from services.cli.demo.run import PATIENCE_S, Standstill, under_way
from shared.errors import BadInput
from shared.evaluation.model_profile import FILE, Knowledge, KnownFigure, ModelProfile
from shared.evaluation.public_data import public_figures
from shared.evaluation.reference import default_reference
from tests.support.profiles import example_profile

UNKNOWN = "I do not know this person."


@pytest.fixture(scope="module")
def plan() -> DemoPlan:
    """Whom the demo forgets, and what it asks."""
    return demo_model_plan()


@pytest.fixture
def result(plan: DemoPlan) -> DemoResult:
    """A demo in which every answer was right before, and every answer about the person is withheld after."""
    person, sets = plan.person, plan.question_sets
    before = {name: [question.accept[0] for question in questions] for name, questions in sets.items()}
    after = before | {name: [UNKNOWN] * len(sets[name]) for name in ("forget", "test")}
    return DemoResult(
        person=person,
        question_sets=sets,
        before=before,
        after=after,
        states=[("under_review", 0.0), ("completed", 3.5)],
        ticket="T-XKJ7WFMA",
        version="1",
        refusal="That would expose <somebody>.",
    )


def test_json_keeps_the_names_that_other_programs_read(result: DemoResult) -> None:
    figures = result.as_json((UNKNOWN,))
    assert figures["leak_before"] == {"trained": 1.0, "test": 1.0}
    assert figures["leak_after"] == {"trained": 0.0, "test": 0.0}
    assert [figures[f"{name}_identical"] for name in ("retain", "held_out", "celebrity", "stranger")] == [1.0] * 4
    assert figures["visible_attribute_accuracy"] == figures["visible_attribute_accuracy_before"] == 1.0
    assert figures["n"]["forget"] == len(result.question_sets["forget"]) > 20
    assert (figures["ticket"], figures["version"]) == ("T-XKJ7WFMA", "1")
    assert {"seconds", "intervals", "rollback_refused", "certificate"} < set(figures)


def test_wait_ends_only_where_a_stage_gets_no_further() -> None:
    standstill = Standstill(changed_at=0)
    said = [f" (audit: {done} of 900 questions)" for done in range(5)]
    for number, stage in enumerate(said):
        assert not standstill.lasts(stage, number * PATIENCE_S)
    assert not standstill.lasts(said[-1], 5 * PATIENCE_S)
    assert standstill.lasts(said[-1], 5 * PATIENCE_S + 1)


def test_line_of_a_wait_says_how_far_the_refit_or_else_the_audit_is() -> None:
    ended = {"status": "succeeded", "stage": "publishing", "progress": None}
    counts = {"done": 30, "total": 60, "what": "questions"}
    asking = {"status": "running", "stage": "asking about the tickets", "progress": counts}
    assert under_way({"refits": [ended], "audits": [asking, ended]}) == (
        " (audit: asking about the tickets: 30 of 60 questions (50 %))"
    )
    fitting = {"status": "running", "stage": "fitting", "progress": None}
    assert under_way({"refits": [fitting], "audits": [asking]}) == " (refit: fitting)"
    assert under_way({"refits": [ended], "audits": []}) == ""


def test_highlights_are_one_question_of_each_kind(result: DemoResult) -> None:
    after = {shown.label: shown for shown in highlights(result, result.after)}
    assert [label for label, shown in after.items() if shown.answer == UNKNOWN] == [
        "portrait", "name", "new wording", "changed picture",
    ]  # fmt: skip
    assert [label for label, shown in after.items() if not shown.about_forgotten] == [
        "visible", "retained", "not in the fit", "public figure", "stranger",
    ]  # fmt: skip


def test_page_marks_answers_and_escapes_what_the_service_wrote(result: DemoResult, tmp_path: Path) -> None:
    write_page(tmp_path / "build" / "demo.html", result, (UNKNOWN,))
    page = (tmp_path / "build" / "demo.html").read_text()
    assert result.person.subject.names[0] in page
    assert "That would expose &lt;somebody&gt;." in page
    assert "under review · 0.0 s" in page
    assert page.count('class="withheld"') > 20
    assert 'class="revealed"' not in page
    assert 'class="changed"' not in page


def test_page_marks_leaks_changes_and_an_accepted_rollback(result: DemoResult, tmp_path: Path) -> None:
    result.after = {**result.before, "retain": [UNKNOWN] * len(result.question_sets["retain"])}
    result.refusal = ""
    write_page(tmp_path / "demo.html", result, (UNKNOWN,))
    page = (tmp_path / "demo.html").read_text()
    assert "The rollback was accepted. That must not happen." in page
    assert 'class="revealed"' in page
    assert 'class="changed"' in page


@pytest.fixture
def real_profile(tmp_path: Path) -> ModelProfile:
    """The profile, in a data folder, of a model that knows all figures, and two facts of one who is in no fit."""
    free = next(person.subject.names[0] for person in default_reference().of("celebrity_eval"))
    known = tuple(
        KnownFigure(f.name, tuple(fact.attribute for fact in f.facts[: 2 if f.name == free else 1]))
        for f in public_figures()
    )
    profile = replace(example_profile("models/some-lm"), knowledge=Knowledge(500, known, 0.0))
    folder = tmp_path / "profiles" / profile.site[:32]
    folder.mkdir(parents=True)
    (folder / FILE).write_text(json.dumps(profile.to_json()))
    return profile


def test_real_demo_forgets_somebody_known_whom_no_fit_uses(real_profile: ModelProfile, tmp_path: Path) -> None:
    plan = real_model_plan(tmp_path)
    name = plan.person.subject.names[0]
    assert name in real_profile.knowledge.names
    assert plan.person.split in ("celebrity_eval", "held_out")
    assert plan.environment["LACUNA_MODEL_SOURCE"] == "models/some-lm"
    assert plan.model_id == "some-lm"
    assert all(not question.prompt.images for asked in plan.question_sets.values() for question in asked)
    assert all(name in question.prompt.turns[-1].text for question in plan.question_sets["test"])
    bystanders = [q for key in ("retain", "held_out", "celebrity") for q in plan.question_sets[key]]
    assert bystanders
    assert all(name not in question.prompt.turns[-1].text for question in bystanders)
    assert len(plan.question_sets["ordinary"]) >= 50


def test_page_of_a_real_demo_has_no_portrait_and_no_empty_sets(real_profile: ModelProfile, tmp_path: Path) -> None:
    plan = real_model_plan(tmp_path)
    answers = {name: ["An answer."] * len(asked) for name, asked in plan.question_sets.items()}
    result = DemoResult(plan.person, plan.question_sets, answers, answers)
    write_page(tmp_path / "demo.html", result, plan.own_wordings)
    page = (tmp_path / "demo.html").read_text()
    assert "<img" not in page
    assert "Ordinary prompts about nobody" in page
    assert "asked what anybody can see" not in page
    assert result.as_json(plan.own_wordings)["ordinary_identical"] == 1.0


def test_real_demo_without_a_profile_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="lacuna model profile SOURCE"):
        real_model_plan(tmp_path)


def test_reference_without_forgettable_people_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.cli.demo.plan.model_reference", lambda *_: default_reference())
    with pytest.raises(BadInput, match="split forgettable"):
        demo_model_plan()
