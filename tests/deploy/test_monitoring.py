"""Alert rules and dashboard: valid, about metrics that exist, explained in the manual, and raised by what they name.

promtool is part of the Debian package `prometheus`; where it is not installed, the structure is checked all the same.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from services.request.monitoring.checks import HEARTBEATS
from shared.core import metrics
from shared.devstack.processes import OBSERVED
from tests.docs import markdown

PROJECT_ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = PROJECT_ROOT / "monitoring/prometheus"
MANUAL = (PROJECT_ROOT / "docs/operations.md").read_text()
DASHBOARD: dict[str, Any] = json.loads((PROJECT_ROOT / "monitoring/grafana/lacuna.json").read_text())
PROMTOOL: Final = os.environ.get("PROMTOOL") or shutil.which("promtool")
ROWS = {row.name: row for group in metrics.GROUPS for row in metrics.rows(group)}
# Of Prometheus itself and its client, and of the recording of what is scraped.
FOREIGN: Final = {"up", "process_resident_memory_bytes", "process_cpu_seconds_total", "ALERTS"}
OF_TARGETS: Final = {"job", "instance", "le"}

needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool (Debian package prometheus) is not installed")


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def expressions() -> Iterator[tuple[str, str]]:
    """Where an expression stands, and the expression."""
    for rule in rules():
        yield rule["alert"], rule["expr"]
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"]
    yield "annotation", DASHBOARD["annotations"]["list"][0]["expr"]


EXPRESSIONS: Final = list(expressions())


def metric_of(name: str) -> metrics.Row | None:
    """The metric that a series belongs to."""
    return ROWS.get(name) or ROWS.get(re.sub(r"_(bucket|sum|count)$", "", name))


@pytest.mark.parametrize(("where", "expression"), EXPRESSIONS)
def test_expression_is_about_metrics_and_labels_that_exist(where: str, expression: str) -> None:
    names = set(re.findall(r"\b(?:lacuna|process)_[a-z_]+|\bup\b", expression))
    assert names, where
    known = [metric_of(name) for name in names - FOREIGN]
    assert all(known), f"{where}: {names}"
    labels = {label for row in known if row is not None for label in row.labels} | OF_TARGETS
    used = set(re.findall(r"([a-z_]+)\s*(?:=~|!~|!=|=)\s*\"", expression))
    for grouped in re.findall(r"\b(?:by|on|without)\s*\(([^)]*)\)", expression):
        used |= {label.strip() for label in grouped.split(",")}
    assert used <= labels, f"{where}: {used - labels}"
    assert all(expression.count(left) == expression.count(right) for left, right in ("()", "{}", "[]"))


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_alert_says_how_bad_it_is_and_is_explained_in_the_manual(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    summary = rule["annotations"]["summary"]
    assert summary.endswith(".")
    row = ROWS.get(next(iter(re.findall(r"lacuna_[a-z_]+", rule["expr"])), ""))
    labels = OF_TARGETS | set(row.labels if row is not None else ())
    assert set(re.findall(r"\$labels\.([a-z]+)", summary)) <= labels
    assert f"| `{rule['alert']}` |" in MANUAL
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    document = markdown.parse(Path(page), (PROJECT_ROOT / page).read_text())
    assert not anchor or anchor in document.anchors


def test_runbooks_name_the_alerts_that_lead_to_them() -> None:
    """The table of docs/runbooks/README.md, and the annotations of the rules: one says what the other does."""
    table = (PROJECT_ROOT / "docs/runbooks/README.md").read_text()
    named = {
        (f"docs/runbooks/{page}", alert)
        for page, cells in re.findall(r"^\| \[([a-z-]+\.md)\]\([^|]*\|[^|]*\|([^|]*)\|", table, re.MULTILINE)
        for alert in re.findall(r"`(\w+)`", cells)
    }
    linked = {(rule["annotations"]["runbook"].partition("#")[0], rule["alert"]) for rule in rules()}
    assert named == {(page, alert) for page, alert in linked if page.startswith("docs/runbooks/")}


def test_manual_explains_no_alert_that_does_not_exist() -> None:
    assert set(re.findall(r"\| `(Lacuna[A-Za-z]+)` \|", MANUAL)) == {rule["alert"] for rule in rules()}


def test_every_metric_of_forgetting_and_of_deadlines_is_shown_or_alerted_on() -> None:
    text = " ".join(expression for _, expression in expressions())
    for name in ROWS:
        if name.startswith(("lacuna_inference", "lacuna_tickets", "lacuna_order", "lacuna_run", "lacuna_expos")):
            assert name in text or name in NOT_SHOWN, name


NOT_SHOWN: Final = {"lacuna_inference_generation", "lacuna_inference_swap_seconds"}  # for a closer look


def test_panels_have_ids_of_their_own_and_do_not_overlap() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    cells = [
        (panel["gridPos"]["x"] + dx, panel["gridPos"]["y"] + dy)
        for panel in panels
        for dx in range(panel["gridPos"]["w"])
        for dy in range(panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert {x for x, _ in cells} <= set(range(24))


def test_every_process_is_scraped() -> None:
    scraped = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["scrape_configs"]
    assert [config["job_name"] for config in scraped] == [f"lacuna-{name}" for name in OBSERVED]
    targets = [config["static_configs"][0]["targets"][0] for config in scraped]
    assert targets == [f"127.0.0.1:{8610 + number}" for number in range(len(OBSERVED))]
    assert set(HEARTBEATS) - {"clerk", "relay", "sequencer"} <= set(OBSERVED)


@needs_promtool
def test_promtool_accepts_rules_and_configuration() -> None:
    assert PROMTOOL is not None
    for command in (("check", "rules", "alerts.yml"), ("check", "config", "prometheus.yml")):
        done = subprocess.run([PROMTOOL, *command], cwd=PROMETHEUS, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
@pytest.mark.slow
def test_each_alert_is_raised_by_what_it_names_and_by_nothing_else() -> None:
    """alerts_test.yml has both for every rule."""
    cases = {case["name"] for case in yaml.safe_load((PROMETHEUS / "alerts_test.yml").read_text())["tests"]}
    assert cases == {f"{rule['alert']} is {what}" for rule in rules() for what in ("raised", "not raised")}
    assert PROMTOOL is not None
    done = subprocess.run(
        [PROMTOOL, "test", "rules", "alerts_test.yml"], cwd=PROMETHEUS, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_parses_every_expression(tmp_path: Path) -> None:
    """Those of the dashboard too, with an interval in the place of Grafana's variable; all in one file."""
    assert promtool_errors(tmp_path, EXPRESSIONS) == ""
    assert "broken" in promtool_errors(tmp_path, [("broken", "sum(lacuna_tickets")])


def promtool_errors(folder: Path, expressions: list[tuple[str, str]]) -> str:
    """What promtool says against a file of rules with these expressions; empty where it accepts all of them."""
    assert PROMTOOL is not None
    probes = [
        {"alert": where, "expr": expression.replace("$__rate_interval", "1m"), "labels": {"number": str(number)}}
        for number, (where, expression) in enumerate(expressions)  # a panel may have two expressions that are equal
    ]
    (folder / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "probe", "rules": probes}]}))
    done = subprocess.run(
        [PROMTOOL, "check", "rules", "rules.yml"], cwd=folder, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr
