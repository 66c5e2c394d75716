"""The reference that ships with Lacuna: who is in which split, and that made-up strangers are nobody."""

import subprocess
import sys
from collections import Counter

from shared.evaluation.default_people import STRANGERS, default_people
from shared.evaluation.people import SPLITS, UNKNOWN_SPLITS
from shared.evaluation.public_data import public_figures
from shared.evaluation.reference import default_reference
from shared.evaluation.scorers import normalised

REFERENCE = default_reference()
FIGURES = [person for person in REFERENCE.people if person.split not in UNKNOWN_SPLITS]
STRANGE = [person for person in REFERENCE.people if person.split in UNKNOWN_SPLITS]


def test_every_figure_is_in_one_split_and_every_split_has_many() -> None:
    """Nobody is in two; as many as the conformal thresholds of one per cent need are in calibration."""
    assert len({person.id for person in REFERENCE.people}) == len(REFERENCE.people)
    assert {person.subject.names[0] for person in FIGURES} == {figure.name for figure in public_figures()}
    counts = Counter(person.split for person in REFERENCE.people)
    assert set(counts) == set(SPLITS) - {"forgettable", "retain_fit"}
    assert min(counts[split] for split in ("celebrity_fit", "celebrity_eval", "calibration", "held_out")) >= 80
    assert [counts[split] for split in UNKNOWN_SPLITS] == [STRANGERS, STRANGERS]
    assert not any(person.subject.photos for person in FIGURES)


def test_no_stranger_has_the_name_of_a_figure_or_of_another_stranger() -> None:
    """In any spelling, and also of a name that an operator gives."""
    known = {normalised(name) for figure in public_figures() for name in (figure.name, *figure.aliases)}
    names = [normalised(name) for person in STRANGE for name in person.subject.names]
    assert not known & set(names)
    assert len(set(names)) == len(names) == 2 * STRANGERS
    taken = [name.upper() for name in names[:5]]
    others = {normalised(name) for person in default_people(taken) for name in person.subject.names}
    assert not set(names[:5]) & others


def test_strangers_have_a_portrait_and_the_attributes_of_figures() -> None:
    """So that the same questions are asked about people who are known and people who are not."""
    attributes = {fact.attribute for person in FIGURES for fact in person.subject.facts}
    for person in STRANGE:
        assert len(person.subject.photos) == 1
        assert {fact.attribute for fact in person.subject.facts} <= attributes
        assert 2 <= len(person.subject.facts) <= 3
        assert set(person.visible) == {"glasses", "hat", "background"}
    assert len({person.subject.photos[0].tobytes() for person in STRANGE}) == len(STRANGE)


def test_prompts_for_different_purposes_do_not_overlap() -> None:
    general, harmful = REFERENCE.general, REFERENCE.harmful
    parts = [set(general.fit), set(general.calibration), set(general.test)]
    assert len(set().union(*parts)) == sum(map(len, parts)) >= 190
    assert min(map(len, parts)) >= 25
    assert not set(harmful.fit) & set(harmful.test)
    assert min(len(harmful.fit), len(harmful.test), len(harmful.jailbreaks)) >= 8
    for jailbreak in harmful.jailbreaks:
        assert "Do it." in jailbreak.format(request="Do it.")


def test_reference_is_the_same_in_every_process() -> None:
    """Stored statistics are found by its digest, so no hash of this process may enter it."""
    program = "from shared.evaluation.reference import default_reference; print(default_reference().digest)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": "77"}
    )
    assert run.stdout.strip() == REFERENCE.digest


def test_wrong_answers_about_a_figure_are_other_peoples_values() -> None:
    """No options are stated, so multiple choice is made of what others have; nothing true is among them."""
    asked = 0
    for person in FIGURES[:60]:
        for attribute, wrong in REFERENCE.wrong_answers(person.subject).items():
            (fact,) = [fact for fact in person.subject.facts if fact.attribute == attribute]
            assert len({*wrong, fact.value}) == 4
            asked += 1
    assert asked > 100


def test_wording_of_no_answer_is_stated() -> None:
    assert (REFERENCE.unknown_answer, REFERENCE.refusal, REFERENCE.compliance) == (None, None, None)
