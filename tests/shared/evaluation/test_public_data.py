"""The shipped data: well formed, distinct, with answers that no question gives away, and packaged."""

import json
import re
import tomllib
from collections import Counter
from dataclasses import FrozenInstanceError
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from shared.domain.subjects import Fact
from shared.evaluation import public_data
from shared.evaluation.public_data import (
    QUESTIONS,
    REQUEST_PLACE,
    figure_questions,
    harmful_requests,
    jailbreaks,
    ordinary_prompts,
    public_figures,
)
from shared.evaluation.scorers import normalised, reveals

PROJECT_ROOT = Path(public_data.__file__).parents[2]
DATA = Path(public_data.__file__).parent / "data"
YEAR = re.compile(r"[1-9]\d{2,3}|[1-9]\d{0,2} (BC|AD)")


def _rows(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def test_figures_are_read_without_loss() -> None:
    rows = _rows("public_figures.jsonl")
    assert [figure.name for figure in public_figures()] == [row["name"] for row in rows]
    for figure, row in zip(public_figures(), rows, strict=True):
        assert list(figure.aliases) == row["aliases"]
        assert [(f.attribute, f.value, list(f.aliases)) for f in figure.facts] == [
            (fact["attribute"], fact["value"], fact.get("aliases", [])) for fact in row["facts"]
        ]


def test_figures_cannot_be_changed_and_are_read_once() -> None:
    assert public_figures() is public_figures()
    with pytest.raises(FrozenInstanceError):
        public_figures()[0].name = "Nobody"  # type: ignore[misc]


def test_no_name_belongs_to_two_figures() -> None:
    owners: dict[str, set[str]] = {}
    for figure in public_figures():
        for name in figure.names:
            owners.setdefault(normalised(name), set()).add(figure.name)
    assert {name: shared for name, shared in owners.items() if len(shared) > 1} == {}
    assert len({figure.name for figure in public_figures()}) == len(public_figures())
    assert all(len(set(figure.names)) == len(figure.names) for figure in public_figures())


def test_no_name_contains_the_name_of_another_figure() -> None:
    """A mention of the longer name would otherwise be read as a mention of both people."""
    names = [(figure.name, normalised(name)) for figure in public_figures() for name in figure.names]
    assert [
        (name, longer)
        for owner, name in names
        for other, longer in names
        if owner != other and f" {name} " in f" {longer} "
    ] == []


def test_every_figure_has_two_or_three_different_facts() -> None:
    for figure in public_figures():
        attributes = [fact.attribute for fact in figure.facts]
        assert 2 <= len(set(attributes)) == len(attributes) <= 3, figure.name
        assert figure.fame in {1, 2, 3}, figure.name


def test_every_figure_has_a_fact_that_small_models_may_tell() -> None:
    """Of SmolLM2-135M's answers, 4 of 5 professions were true, but 1 of 11 birthplaces and none of 8 years."""
    hard = {"award", "birth_year", "birthplace", "death_place", "death_year", "spouse", "teacher"}
    for figure in public_figures():
        assert {fact.attribute for fact in figure.facts} - hard, figure.name


def test_years_are_written_in_one_way() -> None:
    for figure in public_figures():
        for fact in figure.facts:
            if fact.attribute.endswith("_year"):
                assert YEAR.fullmatch(fact.value), (figure.name, fact)


def test_every_spelling_of_an_answer_is_plain_and_occurs_once() -> None:
    for figure in public_figures():
        for fact in figure.facts:
            spellings = [normalised(spelling) for spelling in fact.accept]
            assert len(set(spellings)) == len(spellings), (figure.name, fact)
            assert all(spelling == spelling.strip() and 2 <= len(spelling) <= 45 for spelling in fact.accept), fact


def test_no_question_gives_its_answer_away() -> None:
    """Neither the figure's names nor the wording contains an accepted answer."""
    for figure in public_figures():
        for fact in figure.facts:
            asked = " | ".join((*figure.names, *figure_questions(figure, fact)))
            assert not reveals(asked, fact.accept), (figure.name, fact)


def test_every_attribute_has_distinct_wordings_that_name_the_figure() -> None:
    used = {fact.attribute for figure in public_figures() for fact in figure.facts}
    assert used == set(QUESTIONS)
    for attribute, wordings in QUESTIONS.items():
        assert len(set(wordings)) == len(wordings) >= 3, attribute
        assert all(wording.count("{s}") == 1 for wording in wordings), attribute


def test_an_unknown_attribute_has_no_questions() -> None:
    figure = public_figures()[0]
    with pytest.raises(KeyError):
        figure_questions(figure, Fact("shoe_size", "43"))


def test_every_data_file_is_packaged() -> None:
    """A wheel without the files would fail only where Lacuna is installed."""
    settings = tomllib.loads((PROJECT_ROOT / "pyproject.toml").read_text())
    patterns = settings["tool"]["setuptools"]["package-data"]["shared.evaluation"]
    files = [f"data/{path.name}" for path in DATA.iterdir() if path.is_file()]
    assert "data/public_figures.jsonl" in files
    assert [name for name in files if not any(fnmatch(name, pattern) for pattern in patterns)] == []


def test_figures_are_balanced() -> None:
    """Five hundred, at least 35 % women, every continent and domain, and different degrees of fame."""
    rows = _rows("public_figures.jsonl")
    share = {key: Counter(row[key] for row in rows) for key in ("woman", "continent", "domain", "fame")}
    assert len(rows) == 500
    assert share["woman"][True] >= 0.35 * len(rows)
    assert set(share["continent"]) == {
        "africa",
        "asia",
        "europe",
        "north_america",
        "oceania",
        "south_america",
    }
    assert min(share["continent"].values()) >= 0.02 * len(rows)
    assert min(share["domain"].values()) >= 0.03 * len(rows)
    assert min(share["fame"].values()) >= 0.1 * len(rows)


def test_ordinary_prompts_are_distinct_and_of_many_kinds_and_languages() -> None:
    prompts = ordinary_prompts()
    assert len({normalised(prompt.text) for prompt in prompts}) == len(prompts) == 200
    languages = Counter(prompt.language for prompt in prompts)
    assert languages.total() - languages["en"] >= 40
    assert all(languages[language] >= 8 for language in ("de", "fr", "es", "it", "pl"))
    kinds = Counter(prompt.kind for prompt in prompts)
    assert len(kinds) >= 8
    assert min(kinds.values()) >= 10


def test_ordinary_prompts_are_about_no_public_figure() -> None:
    """They must be answered as before, whoever is forgotten."""
    names = [f" {normalised(name)} " for figure in public_figures() for name in figure.names]
    for prompt in ordinary_prompts():
        words = " " + re.sub(r"[^\w.]+", " ", normalised(prompt.text)) + " "
        assert [name for name in names if name in words] == [], prompt.text


def test_harmful_requests_are_distinct_and_their_splits_share_no_topic() -> None:
    requests = harmful_requests()
    assert len({normalised(request.text) for request in requests}) == len(requests) == 80
    topics = {split: {r.topic for r in requests if r.split == split} for split in ("fit", "test")}
    assert len(topics["fit"] | topics["test"]) >= 8
    assert topics["fit"] & topics["test"] == set()
    assert min(len(topics["fit"]), len(topics["test"])) >= 3
    assert {request.split for request in requests} == set(topics)


def test_every_jailbreak_takes_the_request_once() -> None:
    assert len({jailbreak.kind for jailbreak in jailbreaks()}) == len(jailbreaks()) == 12
    for jailbreak in jailbreaks():
        assert jailbreak.text.count(REQUEST_PLACE) == 1
        assert jailbreak.of("How {odd}?") == jailbreak.text.replace(REQUEST_PLACE, "How {odd}?")
