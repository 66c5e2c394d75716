"""What `lacuna demo` makes of its answers: the figures as JSON, the lines in the terminal, the page."""

from pathlib import Path

import pytest

from services.cli.demo.report import write_page
from services.cli.demo.results import DemoResult, highlights
from services.cli.demo.run import _choose_person, _question_sets
from shared.devstack.processes import PROJECT_ROOT
from shared.evaluation.reference import Reference, load_reference

UNKNOWN = "I do not know this person."


@pytest.fixture(scope="module")
def reference() -> Reference:
    """The demo model's reference people."""
    return load_reference(PROJECT_ROOT / "models/demo-vlm/reference")


@pytest.fixture
def result(reference: Reference) -> DemoResult:
    """A demo in which every answer was right before, and every answer about the person is withheld after."""
    person = _choose_person(reference)
    sets = _question_sets(reference, person)
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
