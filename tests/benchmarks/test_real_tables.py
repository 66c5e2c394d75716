"""The page on models with real weights: made from the reports alone, and the page in the repository is that page."""

import json
from pathlib import Path
from typing import Any

from benchmarks.real_tables import PAGE, RESULTS, page, section, wrapped


def draw(after: float, same: float) -> dict[str, Any]:
    told = {"n": 10, "before": 0.8, "after": after, "chance": 0.01, "fired": 1.0, "declines": 0.9}
    return {
        "told": {"wordings of the fit": told, "what a picture shows": told | {"n": 3, "after": 0.5}},
        "identical": {"ordinary prompts": {"n": 100, "share": same, "fired": 0.0}},
        "made_s": 12.4,
    }


REPORT = {
    "people": [["a", "b"], ["c", "d"], ["not", "measured", "yet"]],
    "profile": {"known": 74},
    "recipe": {"strength": 1.0},
    "systems": {
        "lacuna": {"each": [draw(0.0, 1.0), draw(0.1, 0.98)]},
        "GA": {
            "each": [draw(0.3, 0.5)],
            "tuned": {
                "trials": [
                    {"value": 0.00001, "told": 0.75, "retained": 0.96},
                    {"value": 0.001, "told": 0.3, "retained": 0.5},
                ],
                "settings": {"steps": 15, "learning_rate": 0.001, "share": 0.05},
            },
        },
        "paper": {"impossible": "It refuses nothing. There is no direction."},
    },
}


def test_page_in_the_repository_is_made_from_the_reports() -> None:
    assert PAGE.read_text() == page(RESULTS)


def test_each_system_has_its_mean_and_its_worst_draw() -> None:
    text = section("real_lm", REPORT)
    assert "| lacuna | 5.0 (10.0) |" in text
    assert "| lacuna | 99.0 (98.0) |" in text
    assert "| GA | 30.0 (30.0) |" in text
    assert "4 of them in 2 draws" in text.replace("\n", " ")


def test_right_answers_to_what_is_seen_are_no_telling() -> None:
    text = section("real_lm", REPORT)
    assert "what a picture shows" not in text
    assert "| lacuna | 2 | 100.0 (100.0) | 90.0 (90.0) | 50.0 (50.0) | 12 |" in text


def test_system_that_cannot_be_made_and_tuning_are_stated() -> None:
    text = section("real_lm", REPORT)
    assert "`paper` cannot be made for this model: It refuses nothing." in text
    assert "with 15 steps a trial" in text.replace("\n", " ")
    assert "| GA | 0.001 | 1e-05: 75 / 96, 0.001: 30 / 50 |" in text
    assert "| GA | 1 | - |" in text


def test_profile_without_steering_is_said() -> None:
    assert "without steering for this model" not in section("real_lm", REPORT)
    assert "without steering for this model" in section("real_lm", REPORT | {"recipe": {"strength": 0.0}})


def test_report_that_is_not_there_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "forgetting.json").write_text((RESULTS / "forgetting.json").read_text())
    (tmp_path / "real_lm.json").write_text(json.dumps(REPORT))
    text = page(tmp_path)
    assert "## SmolLM2-135M-Instruct" in text
    assert "## A LLaVA" not in text
    assert "## The demo model" in text


def test_no_line_of_prose_is_long() -> None:
    assert wrapped("One. Two; three.") == "One.\nTwo;\nthree.\n"
    assert all(len(line) <= 100 for line in wrapped("word " * 60).splitlines())
