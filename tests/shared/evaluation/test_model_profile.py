"""A profile comes back from its file as it was written, and nothing else is taken for one."""

import json
from pathlib import Path

import pytest

from shared.errors import BadInput
from shared.evaluation.model_profile import FILE, ModelProfile, read_profile
from tests.support.profiles import example_profile


@pytest.fixture
def profile() -> ModelProfile:
    """A profile with something in every field."""
    return example_profile()


def test_profile_comes_back_from_its_file_unchanged(profile: ModelProfile, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps(profile.to_json()))
    assert read_profile(tmp_path) == profile
    assert read_profile(tmp_path).knowledge.names == {"Marie Curie"}


def test_profile_of_another_schema_is_refused_with_the_way_out(profile: ModelProfile) -> None:
    with pytest.raises(BadInput, match="lacuna model profile"):
        ModelProfile.from_json(profile.to_json() | {"schema": 99})


@pytest.mark.parametrize("field", ["loading", "declining", "knowledge", "reading", "trials", "recipe", "site"])
def test_profile_that_lacks_a_field_is_refused(profile: ModelProfile, field: str) -> None:
    values = profile.to_json()
    del values[field]
    with pytest.raises(BadInput, match="not a whole profile"):
        ModelProfile.from_json(values)


@pytest.mark.parametrize(("content", "message"), [(None, "lacuna model profile"), ("{half", "not JSON")])
def test_missing_or_broken_file_is_refused(tmp_path: Path, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / FILE).write_text(content)
    with pytest.raises(BadInput, match=message):
        read_profile(tmp_path)
