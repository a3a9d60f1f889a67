"""The dashboard, the alert rules and the table of metrics name what a running service really gives."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tools.settings_table import ROOT

from tests.conftest import serving
from tests.fakes import until
from tests.scrape import Scrape, scrape

DASHBOARD = json.loads((ROOT / "deploy" / "grafana-dashboard.json").read_text(encoding="utf-8"))
RULES = yaml.safe_load((ROOT / "deploy" / "prometheus-rules.yml").read_text(encoding="utf-8"))
OPERATIONS = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")

METRIC = re.compile(r"\b((?:alertgate|process|python_gc)_[a-z_]+)(?:\{([^}]*)\})?")
SELECTOR = re.compile(r'([a-z_]+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
GROUPING = re.compile(r"\b(?:by|without)\s*\(([^)]*)\)")
OF_THE_TARGET = {"job", "instance"}
"""Labels that Prometheus itself adds."""


def _alerts() -> list[dict[str, Any]]:
    return [rule for group in RULES["groups"] for rule in group["rules"]]


def _queries() -> list[str]:
    panels = [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]
    return [*panels, *(rule["expr"] for rule in _alerts())]


def _used(expression: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Each metric in an expression, with the labels and values that are selected."""
    for name, selectors in METRIC.findall(expression):
        yield name, [(label, value) for label, _, value in SELECTOR.findall(selectors)]


@pytest.fixture
async def scraped(make_settings) -> Scrape:
    """A scrape of a running service that has delivered something, so that every series is there."""
    async with serving(make_settings(metrics_devices=True)) as service:
        await service.particle(coreid="3f002b000000000000000000")

        async def handed_over() -> Scrape | None:
            found = scrape((await service.client.get("/metrics")).text)
            return found if found("alertgate_delivery_seconds_count", channel="outbox") else None

        return await until(handed_over)


def test_every_query_names_series_that_exist(scraped: Scrape):
    """A misspelt metric is an empty panel, or an alert that never fires."""
    served = {name for name, _ in scraped.values}
    assert {name for query in _queries() for name, _ in _used(query)} - served == set()


def test_every_query_selects_labels_and_values_that_exist(scraped: Scrape):
    """Each selector names a label of its metric and a value that the metric has."""
    for query in _queries():
        for name, selected in _used(query):
            had = {pair for series in scraped.series(name) for pair in series.items()}
            wanted = {(label, value) for label, value in selected if label not in OF_THE_TARGET}
            assert wanted - had == set(), query


def test_every_query_groups_by_labels_that_its_metrics_have(scraped: Scrape):
    """`by (...)` over a label that isn't there would give one line for all."""
    for query in _queries():
        had = {label for name, _ in _used(query) for series in scraped.series(name) for label in series}
        grouped = {label.strip() for labels in GROUPING.findall(query) for label in labels.split(",")}
        assert grouped - had - OF_THE_TARGET == set(), query


def test_every_legend_and_annotation_shows_labels_that_its_query_keeps():
    """A template that names another label shows nothing in its place."""
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            kept = {label.strip() for labels in GROUPING.findall(target["expr"]) for label in labels.split(",")}
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            assert shown - kept - OF_THE_TARGET == set(), panel["title"]
    for rule in _alerts():
        kept = {label.strip() for labels in GROUPING.findall(rule["expr"]) for label in labels.split(",")}
        shown = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
        assert shown - kept == set(), rule["alert"]


def test_every_metric_of_the_gate_is_on_the_dashboard(scraped: Scrape):
    """What is measured can be seen."""
    shown = {name for query in _queries() for name, _ in _used(query)}
    assert [
        name
        for name in scraped.types
        if name.startswith("alertgate_") and not any(used.startswith(name) for used in shown)
    ] == []


def test_the_dashboard_takes_its_data_source_from_a_variable():
    """It can be imported anywhere: no panel names one machine's data source, and no panel covers another."""
    variables = {variable["name"]: variable for variable in DASHBOARD["templating"]["list"]}
    assert variables["datasource"]["type"] == "datasource"
    asked = [*DASHBOARD["panels"], *(t for panel in DASHBOARD["panels"] for t in panel["targets"]), variables["job"]]
    assert {item["datasource"]["uid"] for item in asked} == {"${datasource}"}
    assert all('job="$job"' in target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"])
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@pytest.mark.parametrize("rule", _alerts(), ids=lambda rule: rule["alert"])
def test_every_alert_says_how_bad_it_is_and_what_to_do(rule: dict[str, Any]):
    """Severity, a summary, what to do, and a page that has the alert's name."""
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert {"summary", "description", "runbook"} == set(rule["annotations"])
    page, _, anchor = rule["annotations"]["runbook"].partition("#")
    text = (ROOT / page).read_text(encoding="utf-8")
    assert re.search(rf"^#+ {anchor}$", text, re.MULTILINE | re.IGNORECASE)
    assert f"| `{rule['alert']}` | {rule['labels']['severity']} |" in text


def test_no_alert_is_documented_that_does_not_exist():
    """The table in docs/operations.md has the rules' names and no other."""
    assert sorted(re.findall(r"^\| `(Alertgate\w+)` ", OPERATIONS, re.MULTILINE)) == sorted(
        rule["alert"] for rule in _alerts()
    )


def test_the_table_of_metrics_is_what_a_service_gives(scraped: Scrape):
    """Each metric with its labels, in docs/operations.md and in a scrape; and the type, where it is a histogram."""
    rows = re.findall(r"^\| `(alertgate_\w+)` \|(.*?)\| (.*?) \|$", OPERATIONS, re.MULTILINE)
    documented = {name: frozenset(re.findall(r"`(\w+)`", labels)) for name, labels, _ in rows}
    given = {name: kind for name, kind in scraped.types.items() if name.startswith("alertgate_")}
    assert set(documented) == set(given)
    for name, labels in documented.items():
        samples = scraped.series(f"{name}_count" if given[name] == "histogram" else name)
        assert {frozenset(series) for series in samples} == {labels}, name
    histograms = {name for name, _, meaning in rows if meaning.startswith("histogram")}
    assert histograms == {name for name, kind in given.items() if kind == "histogram"}
