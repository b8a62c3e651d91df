"""Table, picture and verdict of ``pressure_iterations.py``, from its iterations.json.

    python benchmarks/studies/pressure_report.py

Writes iterations.md and iterations.png beside it. Break-even: the number of solves after which the
training has paid for itself, offline seconds / (classical - learned seconds per solve), with an
interval by bootstrap over seeds (each with its own training) and systems; none where the learned
solver is not faster.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pdebench.atomic import atomic_path, write_atomically

FOLDER = Path(__file__).parents[2] / "leaderboards/pressure"
RESAMPLES = 2000
LEVELS = ("0.0001", "1e-06")
Values = Sequence[Sequence[float]]


def interval(values: Any) -> list[float]:
    """Return mean, low, high over seeds and systems of values[seed][system]."""
    table, random = np.array(values, float), np.random.default_rng(0)
    means = []
    for _ in range(RESAMPLES):
        rows = table[random.integers(0, len(table), len(table))]
        means.append(rows[:, random.integers(0, table.shape[1], table.shape[1])].mean())
    low, high = np.quantile(means, [0.025, 0.975])
    return [float(table.mean()), float(low), float(high)]


def ratio(ours: Any, theirs: Any) -> list[float]:
    """Return the ratio of means, low, high; the systems are the same ones, resampled together."""
    a, b = np.array(ours, float), np.array(theirs, float)
    random, found = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        which = random.integers(0, a.shape[1], a.shape[1])
        rows = a[random.integers(0, len(a), len(a))][:, which]
        others = b[random.integers(0, len(b), len(b))][:, which]
        found.append(rows.mean() / others.mean())
    low, high = np.quantile(found, [0.025, 0.975])
    return [float(a.mean() / b.mean()), float(low), float(high)]


def break_even(ours: Any, theirs: Any, offline: Sequence[float]) -> str:
    """Return the number of solves after which training pays, with its interval, or why never."""
    a, b, cost = np.array(ours, float), np.array(theirs, float), np.array(offline[: len(ours)])
    random, found = np.random.default_rng(0), []
    for _ in range(RESAMPLES):
        seeds = random.integers(0, len(a), len(a))
        which = random.integers(0, a.shape[1], a.shape[1])
        saved = b[:, which].mean() - a[seeds][:, which].mean()
        found.append(cost[seeds].mean() / saved if saved > 0 else np.inf)
    saved = b.mean() - a.mean()
    low, high = np.quantile(found, [0.025, 0.975], method="nearest")
    if saved <= 0:
        return "never" if np.isinf(low) else f"never [{low:.3g}, never]"
    top = "never" if np.isinf(high) else f"{high:.3g}"
    return f"{cost.mean() / saved:.3g} [{low:.3g}, {top}]"


def single(values: Values) -> bool:
    """Return whether there is one value alone, so that no interval can be given."""
    return sum(map(len, values)) == 1


def cell(entry: dict[str, Any], digits: int) -> str:
    """Return one figure with its interval."""
    if entry["not_reached"]:
        total = sum(len(row) for row in entry["values"])
        return f"not reached on {entry['not_reached']} of {total}"
    if single(entry["values"]):
        return f"{entry['mean']:.{digits}g}, one system"
    return " ".join(
        [
            f"{entry['mean']:.{digits}g}",
            f"[{entry['low']:.{digits}g}, {entry['high']:.{digits}g}]",
        ]
    )


def against(learned: dict[str, Any] | None, other: dict[str, Any], offline: list[float]) -> str:
    """Return break-even of the learned solver against another one, to the last level."""
    if learned is None:
        return ""
    ours, theirs = (one[f"seconds_to_{LEVELS[-1]}"] for one in (learned, other))
    if ours["not_reached"]:
        return "never (not reached)"
    return break_even(ours["values"], theirs["values"], offline)


def table(content: dict[str, Any]) -> list[str]:
    """Return the table of all groups."""
    lines = [
        "| systems | solver | iterations to 1e-4 | to 1e-6 | seconds to 1e-4 | to 1e-6 "
        "| solves until deep-CG pays (to 1e-6) |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for group, solvers in content["rows"].items():
        learned = solvers.get("deepcg")
        for name, entry in solvers.items():
            parts = [cell(entry[f"iterations_to_{level}"], 3) for level in LEVELS]
            parts += [cell(entry[f"seconds_to_{level}"], 2) for level in LEVELS]
            parts.append("" if name == "deepcg" else against(learned, entry, content["offline_s"]))
            lines.append(f"| {group} | `{name}` | {' | '.join(parts)} |")
    return lines


def compared(group: str, solvers: dict[str, Any], level: str) -> str | None:
    """Return how the learned iterations and seconds stand to incomplete Cholesky and multigrid."""
    learned, said = solvers.get("deepcg"), []
    if learned is None:
        return None
    for what in ("iterations", "seconds"):
        ours = learned[f"{what}_to_{level}"]
        if ours["not_reached"]:
            return f"- {group}, to {level}: deep-CG {cell(ours, 3)}."
        for name in ("cg", "ic_cg", "amg_cg"):
            mean, low, high = ratio(ours["values"], solvers[name][f"{what}_to_{level}"]["values"])
            if single(ours["values"]):
                said.append(f"{what} x{mean:.2g} of `{name}` (one system)")
                continue
            fewer = "fewer" if what == "iterations" else "less"
            word = fewer if high < 1 else "more" if low > 1 else "not told apart"
            said.append(f"{what} x{mean:.2g} [{low:.2g}, {high:.2g}] of `{name}` ({word})")
    return f"- {group}, to {level}: " + "; ".join(said) + "."


def growth(rows: dict[str, Any], level: str) -> list[str]:
    """Return by what factor iterations grow when the cells per axis double, per solver."""
    found = []
    for kind in dict.fromkeys(group.partition(", ")[2] for group in rows):
        for small, large in ((16, 32), (32, 64), (64, 128)):
            said = []
            for name in ("deepcg", "cg", "ic_cg", "amg_cg"):
                pair = [
                    rows.get(f"{n}^3, {kind}", {}).get(name, {}).get(f"iterations_to_{level}")
                    for n in (large, small)
                ]
                if any(one is None or one["not_reached"] for one in pair):
                    continue
                means = [one["mean"] for one in pair]
                # other systems at every size: the extremes of both intervals
                low, high = pair[0]["low"] / pair[1]["high"], pair[0]["high"] / pair[1]["low"]
                ends = "" if single(pair[0]["values"]) else f" [{low:.2g}, {high:.2g}]"
                said.append(f"`{name}` x{means[0] / means[1]:.2g}{ends}")
            if said:
                found.append(f"- {kind}, {small}^3 to {large}^3: {', '.join(said)}")
    return found


def draw(rows: dict[str, Any], file: Path) -> None:
    """Draw iterations and seconds to the last level against cells per axis."""
    import matplotlib as mpl

    mpl.use("agg")
    import matplotlib.pyplot as plt

    kinds = list(dict.fromkeys(group.partition(", ")[2] for group in rows))
    sizes = sorted({int(group.partition("^")[0]) for group in rows})
    panels_of = [("iterations", level) for level in LEVELS] + [("seconds", LEVELS[-1])]
    figure, panels = plt.subplots(len(kinds), 3, figsize=(12, 7), sharex=True, layout="constrained")
    for line, kind in zip(panels, kinds, strict=True):
        groups = {int(g.partition("^")[0]): s for g, s in rows.items() if g.endswith(f", {kind}")}
        names = list(dict.fromkeys(name for solvers in groups.values() for name in solvers))
        for panel, (what, level) in zip(line, panels_of, strict=True):
            for index, name in enumerate(names):
                seen = {n: s[name][f"{what}_to_{level}"] for n, s in groups.items() if name in s}
                kept = {n: one for n, one in seen.items() if not one["not_reached"]}
                means = [one["mean"] for one in kept.values()]
                ends = np.array([[one["low"], one["high"]] for one in kept.values()]).reshape(-1, 2)
                bars = np.abs(ends.T - means)
                bold = name == "deepcg"
                style: dict[str, Any] = {"fmt": "o-" if bold else "s--", "linewidth": 1 + bold}
                colour = f"C{index}"
                panel.errorbar(
                    list(kept), means, bars, capsize=3, label=name, color=colour, **style
                )
            panel.set(xscale="log", yscale="log", title=f"{kind}: {what} to {float(level):g}")
            panel.set_xticks(sizes, [f"{n}$^3$" for n in sizes], minor=False)
            panel.minorticks_off()
            panel.grid(alpha=0.3)
    panels[0, 0].legend(fontsize=8)
    with atomic_path(file) as partial:
        figure.savefig(partial, dpi=110, format="png", metadata={"Software": None})
    plt.close(figure)


def write() -> None:
    """Write table, verdict and picture."""
    content = json.loads((FOLDER / "iterations.json").read_text(encoding="utf-8"))
    rows, offline = content["rows"], content["offline_s"]
    mean, low, high = interval([[one] for one in offline])
    peak = max(entry["peak_gb"] for solvers in rows.values() for entry in solvers.values())
    lines = ["# Iterations and seconds by size", "", f"    {content['command']}", ""]
    lines += [
        f"{content['threads']} thread, processor seconds. Networks trained at 16^3 on the empty "
        f"box, {len(offline)} seeds, offline (wall clock) {mean:.3g} s [{low:.3g}, {high:.3g}] "
        f"each; learned rows stop after {content['steps']} steps. Means over seeds and systems, "
        f"95 % intervals by bootstrap. Memory of the whole run at its peak: {peak:.2g} GB.",
        "",
        *table(content),
        "",
        "## Deep-CG against CG, IC(0)-CG and AMG-CG",
        "",
        *filter(None, (compared(g, s, level) for g, s in rows.items() for level in LEVELS)),
        "",
        "## Growth of the iterations to 1e-6 with twice the cells per axis",
        "",
        "Systems differ from size to size; intervals from the ends of both, none where there is "
        "one system.",
        "",
        *growth(rows, LEVELS[-1]),
        "",
        "![iterations and seconds by size](iterations.png)",
    ]
    write_atomically(FOLDER / "iterations.md", ("\n".join(lines) + "\n").encode())
    draw(rows, FOLDER / "iterations.png")


if __name__ == "__main__":
    write()
