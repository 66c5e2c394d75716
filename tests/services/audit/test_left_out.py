"""What an audit could not ask, and the reason that its report gives."""

from dataclasses import replace

from services.audit.left_out import left_out_panels, left_out_tasks, sentences
from services.audit.operator_retain_set import HELD_OUT
from shared.domain.subjects import Fact, Subject
from shared.evaluation.comparison import bystander_question_sets, forget_question_sets, visible_question_set
from shared.evaluation.people import Person
from shared.evaluation.reference import General, Harmful, Reference
from shared.evaluation.synthetic_people import generate_people

FACT = (Fact("city", "Ulm"),)


def reference(*people: Person) -> Reference:
    return Reference(people, Harmful((), (), ()), General((), (), ("Hello?",)))


def test_every_empty_set_has_its_reason() -> None:
    """Nobody in the split, nobody with facts, nobody who can be named or shown."""
    few = reference(
        Person("1", "celebrity_fit", Subject(("Ada",), (), FACT)),
        Person("2", "celebrity_eval", Subject(("Bo",), (), ())),
        Person("3", "stranger_eval", Subject((), (), FACT)),
    )
    sets = bystander_question_sets(few) | {"visible": [], "forget": [], HELD_OUT: []}
    assert len(sets["retain"]) == 1
    assert left_out_panels(sets, few) == {
        "held_out": "nobody of the reference is in the split held_out",
        "celebrity": "nobody in the split celebrity_eval has a fact",
        "stranger": "nobody in the split stranger_eval has a name, or a photograph that the model can see",
        "visible": "no ticket has a photograph that the model can see",
        "forget": "no ticket has a fact that can be asked about",
        HELD_OUT: "the operator's set has nobody in the split held_out about whom anything can be asked",
    }
    assert sentences({"held_out": "nobody"}) == ["questions of the set held_out (nobody)"]


def test_sets_with_questions_are_not_left_out() -> None:
    everybody = generate_people(3)
    full = reference(*everybody)
    subjects = {"t-1": everybody[0].subject}
    sets = bystander_question_sets(full) | forget_question_sets(subjects, per_fact=1)
    sets["visible"] = visible_question_set(everybody[:1])
    assert left_out_panels(sets, full) == {}
    without_photos = replace(everybody[0], subject=replace(everybody[0].subject, photos=()))
    assert visible_question_set([without_photos]) == []


def test_missing_cells_of_the_papers_tasks_are_named() -> None:
    cell = {"n": 3}
    table = {
        "forget": {"vqa": {}, "qa": {"generation": cell, "cloze": cell}},
        "retain": {"qa": {"classification": cell}},
    }
    left_out = left_out_tasks(table, ("classification", "generation", "cloze"))
    assert set(left_out) == {
        "forget/vqa/classification",
        "forget/vqa/generation",
        "forget/vqa/cloze",
        "forget/qa/classification",
        "retain/qa/generation",
        "retain/qa/cloze",
    }
    assert left_out["forget/vqa/cloze"] == "nothing can be asked by portrait"
    assert "three wrong answers" in left_out["forget/qa/classification"]
    assert left_out_tasks({}, ("cloze",)) == {}
