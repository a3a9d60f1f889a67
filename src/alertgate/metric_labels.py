"""The closed lists of label values of the metrics."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from alertgate.model import ChannelName


@dataclass(frozen=True, slots=True)
class LabelValues:
    """The closed lists of label values that other stages define."""

    channels: Collection[ChannelName]
    """The channels that are in use."""
    results: Iterable[str]
    reasons: Iterable[str]
    findings: Iterable[str]
    guards: Iterable[str]
    budgets: Iterable[str]
