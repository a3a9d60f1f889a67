"""Draws the figures as ratios to their goals: `python -m bench.plot FILE`; they come as JSON on standard input."""

import json
import sys
from statistics import median

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt


def main() -> None:
    """Draw one bar for each figure that has a goal; right of 1 the goal is reached."""
    found = [figure for figure in json.load(sys.stdin) if figure["goal"]][::-1]
    names, bars, colors = [], [], []
    for figure in found:
        sign, bound = figure["goal"].split()
        middle = median(figure["ratios"])
        bars.append(middle / float(bound) if sign == "≥" else float(bound) / middle)
        names.append(f"{figure['name']}\nagainst {figure['against']}: {middle:.2f} (goal {figure['goal']})")
        colors.append("#15803d" if bars[-1] >= 1 else "#b91c1c")
    drawing, axes = plt.subplots(figsize=(9, 0.62 * len(found) + 1))
    axes.barh(names, bars, color=colors)
    axes.axvline(1, color="black", linewidth=1)
    axes.set_xscale("log")
    axes.set_xlabel("times as good as its goal (logarithmic); the line is the goal")
    axes.tick_params(axis="y", labelsize=8)
    drawing.tight_layout()
    drawing.savefig(sys.argv[1], dpi=110)


main()
