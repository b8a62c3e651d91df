"""``pdebench data verify``: is what is stored whole, finite, and a solution?"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

from pdebench.cli.data.target import Target, parser, target
from pdebench.errors import ConfigError, PdebenchError

_ABOUT = """Check a data set or a public file.

  digest        the content is what it was made with (every byte is read)
  finite        no NaN or infinity in any sample
  residual      the stored answers solve the equation: the residual of a sample's own answer against
                that of its neighbour's answer, for as many rows as --rows says
  conservation  drift of what the equation conserves, relative to the field, on the same rows
  made again    the first shard of every split is made again and compared, where the data set was
                made by the suite; bit by bit on the machine that made it, within 1e-3 elsewhere

Exits with 1 where a check fails.
"""
_DRIFT = 1e-5  # relative; float32 fields of 1e5 points keep their mean to 1e-6
_ELSEWHERE = 1e-3  # relative difference that another processor's rounding may grow to


@final
@dataclass(frozen=True)
class Finding:
    """One line: what was checked where, its value, and whether that is right (None: not judged)."""

    split: str
    check: str
    value: str
    good: bool | None


def main(argv: list[str]) -> int:
    """Print the findings as a table; return 1 where one is bad."""
    made = parser("verify", _ABOUT)
    made.add_argument("--rows", type=int, default=4, help="samples of a split that are looked at")
    made.add_argument(
        "--no-remake", action="store_true", help="do not make samples again, which may take long"
    )
    options = made.parse_intermixed_args(argv)
    if options.rows < 1:
        raise ConfigError(f"--rows={options.rows}, expected a positive number")
    chosen = target(options)
    bad = 0
    for found in findings(chosen, options.rows, not options.no_remake):
        mark = {True: "ok", False: "FAILED", None: "-"}[found.good]
        sys.stdout.write(f"{found.split:<20} {found.check:<13} {mark:<7} {found.value}\n")
        sys.stdout.flush()
        bad += found.good is False
    return 1 if bad else 0


def findings(chosen: Target, rows: int, remake: bool) -> Iterator[Finding]:
    """Yield what is found, cheapest first."""
    from pdebench.generated import GeneratedDataset

    try:
        digest = chosen.require_made()
    except PdebenchError as error:
        yield Finding("all", "digest", str(error), False)
        return
    yield Finding("all", "digest", digest, True)
    dataset = chosen.dataset
    for split, contents in chosen.parts():
        yield _finite(split, contents, chosen.imported)
    for split in dataset.card.splits:
        samples = dataset.split(split)
        yield from _physics(split, samples[: max(2, rows)])
    if remake and isinstance(dataset, GeneratedDataset):
        for split in dataset.card.splits:
            yield _again(chosen, dataset, split)


def _finite(split: str, contents: Any, imported: bool) -> Finding:
    from pdebench.formats.conversion import bad_rows, blocks

    bad: set[int] = set()
    start, stop = contents.splits[split]
    for part in blocks(contents):
        for variable in contents.variables.values():
            bad.update(part.start + row for row in bad_rows(variable.array.block(part)))
    bad = {row for row in bad if start <= row < stop} if imported else bad
    said = f"NaN or infinity in samples {sorted(bad)[:8]}" if bad else f"{stop - start} samples"
    return Finding(split, "finite", said, not bad)


def _physics(split: str, samples: Any) -> Iterator[Finding]:
    import torch

    if len(samples) == 0:
        return
    try:
        problem, target = samples.problem, samples.target
    except PdebenchError:
        samples = samples[:1]  # geometries that vary are read one at a time
        problem, target = samples.problem, samples.target
    equation = problem.equation
    with torch.no_grad():
        try:
            own = _size(equation.residual(target.double(), _double(problem)))
            # One sample has no neighbour: the zero field stands in.
            other = target.roll(1, 0) if len(target) > 1 else torch.zeros_like(target)
            foreign = _size(equation.residual(other.double(), _double(problem)))
        except (PdebenchError, RuntimeError, ValueError) as error:
            yield Finding(split, "residual", f"not applicable: {error}", None)
        else:
            share = own / foreign if foreign > 0 else 0.0
            said = f"{own:.3g}, {share:.2e} of a neighbour's answer ({len(target)} samples)"
            yield Finding(split, "residual", said, share < 1)
        try:
            kept = equation.conserved(target.double(), _double(problem))
        except PdebenchError as error:
            yield Finding(split, "conservation", f"not applicable: {error}", None)
            return
    scale = float(target.double().square().mean().sqrt()) or 1.0
    for name, values in kept.items():
        drift = float((values - values[:, :1]).abs().max()) / scale
        yield Finding(split, "conservation", f"{name} drifts by {drift:.2e}", drift < _DRIFT)


def _size(values: Any) -> float:
    return float(values.double().square().mean().sqrt())


def _double(problem: Any) -> Any:
    import torch

    return problem.to("cpu", torch.float64)


def _again(chosen: Target, dataset: Any, split: str) -> Finding:
    import numpy as np

    from pdebench.stored import Stored
    from pdebench.workers import one_thread

    recipe = dataset.recipe
    with one_thread():
        fresh = recipe.make(split, range(recipe.shard))
    num = min(recipe.shard, recipe.counts[split])
    stored = Stored(chosen.folder / f"{split}.h5", limit=0)
    worst, same = 0.0, True
    for name, values in fresh.items():
        old, new = stored.read(name, slice(0, num)), np.asarray(values)[:num]
        same = same and old.dtype == new.dtype and np.array_equal(old, new)
        norm = float(np.linalg.norm(np.asarray(new, float).ravel())) or 1.0
        gap = np.asarray(old, float).ravel() - np.asarray(new, float).ravel()
        worst = max(worst, float(np.linalg.norm(gap)) / norm)
    said = f"{num} samples, " + ("bit by bit" if same else f"relative difference {worst:.1e}")
    return Finding(split, "made again", said, same or worst < _ELSEWHERE)
