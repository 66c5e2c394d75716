"""How much is asked about a ticket: enough about a changed one, and of all together what an audit has time for."""

import pytest

from services.audit import black_box
from services.audit.about_tickets import IN_FULL, SETS, questions_about
from services.audit.black_box import LIGHT_FAMILIES, PER_FAMILY, UNPICTURED, share
from shared.domain.subjects import Fact, Subject
from shared.evaluation.attacks.families import FAMILIES, Choice, plan
from shared.evaluation.reference import default_reference
from shared.evaluation.synthetic_people import generate_people

ATTACKS = 144


@pytest.fixture(autouse=True)
def attacks(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as an audit has, also where other tests of this process have made do with fewer."""
    monkeypatch.setattr(black_box, "ATTACKS", ATTACKS)


def test_changed_ticket_with_a_photograph_and_a_name_is_asked_60_different_questions() -> None:
    subject = generate_people(1)[0].subject
    sets = questions_about({"T-1": subject}, IN_FULL, seed=1)
    assert {name: len(questions) for name, questions in sets.items()} == dict.fromkeys(SETS, IN_FULL)
    for questions in sets.values():
        seen = {(q.prompt.turns[-1].text, *(image.tobytes() for image in q.prompt.images)) for q in questions}
        assert len(seen) == IN_FULL


def test_ticket_with_one_fact_and_a_name_is_asked_60_times_with_the_attacks() -> None:
    """There are few wordings of one question; what is lacking comes from the attacks."""
    subject = Subject(("Mara Novak",), (), (Fact("city", "Ulm"),))
    questions = questions_about({"T-1": subject}, IN_FULL, seed=1)
    asked = sum(map(len, questions.values()))
    choice = Choice(per_kind=1, most=UNPICTURED * share(1).most, seed=1)
    attacks = plan({"T-1": subject}, default_reference(), choice).attacks
    assert asked < 2 * IN_FULL
    assert asked + len(attacks) >= 2 * IN_FULL


def test_person_without_facts_is_asked_nothing() -> None:
    assert questions_about({"T-1": Subject(("Mara Novak",), (), ())}, IN_FULL, seed=1) == {"forget": [], "test": []}


def test_attacks_are_divided_evenly_among_changed_tickets() -> None:
    assert (share(1).families, share(1).most) == (len(FAMILIES), PER_FAMILY)
    for changed in range(1, 200):
        own = share(changed)
        assert own.families * own.most >= LIGHT_FAMILIES
        assert changed * own.families * own.most <= max(ATTACKS, changed * LIGHT_FAMILIES)
