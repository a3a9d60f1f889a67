"""Draw the figures relative to their goals: `python -m bench.plot FILE`, with the figures as JSON on standard input."""

import json
import sys

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt


def main() -> None:
    """Draw one bar for each figure; right of 1 the goal is reached."""
    found = json.load(sys.stdin)[::-1]
    scores = [figure["score"] for figure in found]
    colors = ["#15803d" if score >= 1 else "#b91c1c" for score in scores]
    drawing, axes = plt.subplots(figsize=(9, 0.62 * len(found) + 1))
    axes.barh([figure["label"] for figure in found], scores, color=colors)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("times as good as its goal (logarithmic); the line is the goal")
    axes.tick_params(axis="y", labelsize=8)
    drawing.tight_layout()
    drawing.savefig(sys.argv[1], dpi=110)


main()
