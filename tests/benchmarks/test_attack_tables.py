"""The attack benchmark's tables: sums over draws, the worst draw, and shares of what the base model tells."""

import json

from benchmarks.attack_tables import report_table, summary
from shared.domain.prompts import Prompt
from shared.evaluation.attacks.attack import Attack
from shared.evaluation.attacks.bystanders import BystanderQuestion
from shared.evaluation.attacks.observing import Observation
from shared.evaluation.attacks.results import by_bystander_family, by_family

TOLD, SILENT = Observation(told=True, text="Oslo"), Observation(told=False)
ASKED = Prompt.ask("What colour is the sky? (Mara asked.)")


def draw(told_after: int) -> dict[str, object]:
    """A draw of ten attacks that the base model tells all of, and one mention that is answered as before."""
    attacks = [Attack("spelling", "comma", f"P{n}", "city", ASKED, ("Oslo",)) for n in range(10)]
    after = [TOLD] * told_after + [SILENT] * (10 - told_after)
    mention = BystanderQuestion(
        "mentions", "asked_by", "nobody", "P1", ASKED, (), Prompt.ask("What colour is the sky?")
    )
    figures = by_family(attacks, [TOLD] * 10, after, attacks, [SILENT] * 10)
    others = by_bystander_family([mention], ["blue"], ["blue"], ["blue" if told_after else "red"])
    stored = {
        "families": {name: figure.as_json() for name, figure in figures.items()},
        "bystanders": {name: {kind: f.as_json() for kind, f in kinds.items()} for name, kinds in others.items()},
    }
    read: dict[str, object] = json.loads(json.dumps(stored))
    return read


def test_draws_are_added_and_the_worst_is_kept() -> None:
    spelling = summary([draw(1), draw(3)])["families"]["spelling"]
    assert (spelling["n"], spelling["told_before"], spelling["told_after"], spelling["people_told"]) == (20, 20, 4, 4)
    assert spelling["of_base"] == 0.2
    assert spelling["worst_of_base"] == 0.3
    assert spelling["kinds"]["comma"]["told_after"] == 4


def test_table_has_a_row_for_each_family_and_a_dash_where_a_system_was_not_asked() -> None:
    nothing: dict[str, dict[str, object]] = {"families": {}, "bystanders": {}, "white_box": {}}
    table = report_table({"lacuna": summary([draw(0), draw(3)]), "other": nothing})
    assert "| spelling | 20, 100.0 | 15.0 (30.0) | - |" in table
    assert "| mentions | 2 | 50.0 (0.0); sensible 50.0 / 100.0 | - |" in table
