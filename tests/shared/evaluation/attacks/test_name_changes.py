"""Other spellings of a name: each differs from the name, and keeps what has to be kept."""

import random
import unicodedata

import pytest

from shared.evaluation.attacks.name_changes import NAME_CHANGES, NameParts, changed_name


@pytest.mark.parametrize("kind", NAME_CHANGES)
def test_change_writes_the_name_otherwise_and_the_same_for_the_same_seed(kind: str) -> None:
    written = [changed_name(kind, "Mara Lindqvist", random.Random(seed)) for seed in (1, 1, 2)]
    assert written[0] == written[1]
    assert all(name is not None and name != "Mara Lindqvist" for name in written)


@pytest.mark.parametrize("kind", ["zero_width", "zero_width_surname", "soft_hyphen"])
def test_invisible_change_looks_like_the_name(kind: str) -> None:
    written = changed_name(kind, "Mara Lindqvist", random.Random(0))
    assert written is not None
    assert "".join(c for c in written if unicodedata.category(c) != "Cf") == "Mara Lindqvist"


def test_full_width_is_the_name_in_compatibility_form() -> None:
    written = changed_name("full_width", "Mara Lindqvist", random.Random(0))
    assert written is not None
    assert unicodedata.normalize("NFKC", written) == "Mara Lindqvist"


@pytest.mark.parametrize("name", ["Cher", "李", "A", "", "李 明", "Ana Li"])
def test_names_that_a_change_does_not_fit_are_left_out(name: str) -> None:
    """No change fails, and none gives the name back."""
    written = {kind: changed_name(kind, name, random.Random(0)) for kind in NAME_CHANGES}
    assert name not in written.values()
    if " " not in name:
        assert written["surname_first"] is None
        assert written["comma"] is None


def test_parts_of_a_long_name_are_first_middle_and_last() -> None:
    assert NameParts.of("Jean Paul van Berg") == NameParts("Jean", "Paul van", "Berg")
    assert changed_name("surname_comma", "Jean Paul Berg", random.Random(0)) == "Berg, Jean Paul"
