"""A parsed scrape, for the tests of the metrics."""

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families


@dataclass(frozen=True)
class Scrape:
    """The values by series, and the type of each metric."""

    values: dict[tuple[str, frozenset[tuple[str, str]]], float]
    types: dict[str, str]
    """The types of the metrics, by name as in the text format."""

    def __call__(self, name: str, /, **labels: str) -> float | None:
        return self.values.get((name, frozenset(labels.items())))

    def series(self, name: str) -> list[dict[str, str]]:
        return [dict(labels) for found, labels in self.values if found == name]

    def labels(self) -> Iterator[tuple[str, str, str]]:
        for name, labels in self.values:
            yield from ((name, label, value) for label, value in labels)


def scrape(text: str) -> Scrape:
    """Parse Prometheus' text format."""
    values, types = {}, {}
    for family in text_string_to_metric_families(text):
        types[family.name + ("_total" if family.type == "counter" else "")] = family.type
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in values
            values[key] = sample.value
    return Scrape(values, types)
