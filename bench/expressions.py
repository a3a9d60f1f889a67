"""What the dearest expressions that `[[events]]` rules may have cost on the largest events.

`python -m bench.expressions` builds expressions from parts, repeats what makes each dear as often as it is allowed, and
prints those that take most processor time. The bound in `policy/bounds.py` is set by what it prints.
"""

import time
from collections.abc import Iterator
from itertools import product

from alertgate.model import Json
from alertgate.policy.bounds import EVENT_FIELDS, LARGEST_EVENT, size
from alertgate.policy.expressions import LONGEST_EXPRESSION, Expression, compile_expression, evaluate

ROUNDS = 5
MOST_COPIES = 60
SHOWN = 12

TIMES = "…"
"""Stands in a part for as many copies of what precedes it as are allowed."""
SOURCES = (
    "data",
    "data.*",
    "data[*][*]",
    "[@…] | []",
    "[data…][]",
    "[data…] | [].[@, @]",
    "data[*].[@…][]",
    "values(data)",
)
"""Where the values come from; `{}` in USES stands for one of them."""
USES = (
    "{} | [*].contains(@, 'q')",
    "{} | [?contains(@, 'q')]",
    "{} | [?@ != 'q' && @ != 'r']",
    "{} | [*].to_string(@)",
    "{} | [*].[to_string(@)…]",
    "{} | [*].length(@)",
    "{} | [*].not_null(@…)",
    "{} | [*].starts_with(@, 'b')",
    "{} | [*].{{a: @…}}",
    "{} | map(&to_string(@), @)",
    "{} | map(&contains(@, 'q'), @)",
    "{} | sort_by(@, &to_string(@))",
    "{} | sort(@)",
    "{} | [contains(@, 'q')…]",
    "{} | [to_string(@)…]",
    "{} | to_string(to_string(@))",
    "{} | length(to_string(to_string(to_string(@))))",
    "{} | [@ == @…]",
    "{} | [*].[*].[*].[@…]",
)


def events() -> Iterator[dict[str, Json]]:
    """Yield the largest events of each kind: many texts, long texts, lists, fields, and what JSON escapes."""
    for data in (
        [f"{'w' * 55}{number:05}" for number in range(LARGEST_EVENT - 50)],
        {f"{'k' * 50}{number:05}": "v" * 10 for number in range(LARGEST_EVENT - 50)},
        [[number] for number in range(LARGEST_EVENT // 2 - 50)],
        [{"open": False, "name": f"door {number}"} for number in range(LARGEST_EVENT // 3 - 50)],
        "a" * 125_000,
        ["\x00" * 250 for _ in range(LARGEST_EVENT // 2)][:500],
    ):
        event = {**dict.fromkeys(EVENT_FIELDS), "event": "e", "source": "particle", "fields": {}, "data": data}
        if size(event) > LARGEST_EVENT:
            raise ValueError("an event is above the limit, and so no expression is evaluated on it")
        yield event


def dearest(text: str) -> Expression | None:
    """Return an expression with as many copies as are allowed, or None if not even one is."""
    for copies in range(MOST_COPIES if TIMES in text else 1, 0, -1):
        written = _repeated(text, copies)
        if len(written) > LONGEST_EXPRESSION:
            continue
        try:
            return compile_expression(written)
        except ValueError:
            continue
    return None


def _repeated(text: str, copies: int) -> str:
    """Return the text with copies of what precedes each mark, back to the bracket that opens it."""
    while TIMES in text:
        before, after = text.split(TIMES, 1)
        depth, start = 0, len(before)
        while start and not (before[start - 1] in "[({" and depth == 0):
            start -= 1
            depth += (before[start] in "])}") - (before[start] in "[({")
        repeated = before[start:]
        more = ", ".join(f"b{n}{repeated[1:]}" if ":" in repeated else repeated for n in range(copies))
        text = before[:start] + more + after
    return text


def seconds(expression: Expression, event: dict[str, Json]) -> float:
    """Return the least processor time of several evaluations."""
    least = float("inf")
    for _ in range(ROUNDS):
        started = time.process_time()
        evaluate(expression, event)
        least = min(least, time.process_time() - started)
    return least


def main() -> None:
    """Measure, and print the dearest."""
    texts = {use.format(source) for source, use in product(SOURCES, USES)}
    allowed = {found.text: found for text in texts if (found := dearest(text))}
    largest = list(events())
    costs = {text: max(seconds(expression, event) for event in largest) for text, expression in allowed.items()}
    print(f"{len(costs)} expressions; the dearest, in milliseconds of processor time:")
    for text in sorted(costs, key=lambda text: -costs[text])[:SHOWN]:
        print(f"{costs[text] * 1000:7.1f}  {text if len(text) <= 100 else text[:99] + '…'}")


if __name__ == "__main__":
    main()
