"""Published claims beside what was measured here: schema, figures read from files, verdicts.

One YAML file a family in ``leaderboards/claims``. A claim names the places of its figures (a
committed file, a row, a key) and rules over them; nothing measured is typed into it, and the
verdict follows from the rules. ``pdebench.leaderboard.ledger`` writes the page.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from statistics import median
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from pdebench.errors import ConfigError

# What a figure with an interval calls its middle, in the boards and in benchmarks/results.
MIDDLES = ("mean", "ratio", "speedup", "seconds", "value", "times_ours")


class Relation(Enum):
    """Which side of the bound the left figure has to be on."""

    below = "below"
    above = "above"


@dataclass
class Place:
    """Where a figure stands: a file from the repository's root, a row of JSON lines, a key path."""

    file: str
    key: list[Any]
    where: dict[str, Any] = field(default_factory=dict)


@dataclass
class Rule:
    """``left`` below or above ``threshold``, times the figure ``right`` if one is named."""

    left: str
    relation: Relation
    threshold: float
    right: str | None = None

    def __str__(self) -> str:
        bound = f"{self.threshold:g}" + (f" × {self.right}" if self.right else "")
        return f"{self.left} {self.relation.value} {bound}"


@dataclass
class Claim:
    """A statement that can turn out false, and the figures and rules that decide it."""

    statement: str
    source: str
    metric: str
    task: str
    comparison: str
    command: str = ""
    paper_command: str = ""
    figures: dict[str, Place] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)
    untestable: str = ""
    limits: str = ""


@dataclass
class Family:
    """The claims of one family of methods, and what its released programs have to do with them."""

    family: str
    plugin: str
    paper: str
    released: list[str] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)


@dataclass(frozen=True)
class Figure:
    """A measured number and the interval that its file states; without one, its ends too."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Verdict:
    """One of the five words of the page, the rules or files behind it, and the figures."""

    word: str
    reason: str
    figures: Mapping[str, Figure | str]


def read(file: Path) -> Family:
    """Return a family's claims. ConfigError names the file and the entry that does not fit."""
    try:
        merged = OmegaConf.merge(OmegaConf.structured(Family), OmegaConf.load(file))
        family = OmegaConf.to_object(merged)
    except (OmegaConfBaseException, YAMLError, TypeError) as error:
        raise ConfigError(f"{file}: {error}") from error
    assert isinstance(family, Family)
    for number, claim in enumerate(family.claims, 1):
        _examine(file, number, claim)
    return family


def _examine(file: Path, number: int, claim: Claim) -> None:
    here = f"{file}: claim {number}"
    if bool(claim.rules) == bool(claim.untestable):
        raise ConfigError(f"{here} needs either rules or a reason in 'untestable', and not both")
    for rule in claim.rules:
        for name in filter(None, (rule.left, rule.right)):
            if name not in claim.figures:
                known = ", ".join(claim.figures) or "none"
                raise ConfigError(f"{here}: rule '{rule}' names no figure '{name}'; there: {known}")
    if claim.rules and not claim.command:
        raise ConfigError(f"{here} needs 'command', which makes the files it reads")


def figure(root: Path, place: Place) -> Figure | str:
    """Return the figure, or the sentence why there is none yet.

    ConfigError where the file is there and the key is not, or several rows match.
    """
    file = root / place.file
    if not file.is_file():
        return f"no file {place.file}"
    found: Any = _row(file, place) if file.suffix == ".jsonl" else json.loads(file.read_text())
    if isinstance(found, str):
        return found
    for step in place.key:
        try:
            found = found[step]
        except (KeyError, IndexError, TypeError):
            said = f"; there: {', '.join(found)}" if isinstance(found, Mapping) else ""
            raise ConfigError(f"{place.file} has no '{step}' of key {place.key}{said}") from None
    return _figure(found, place)


def _row(file: Path, place: Place) -> dict[str, Any] | str:
    lines = map(json.loads, file.read_text(encoding="utf-8").splitlines())
    rows = [line for line in lines if line.get("kind") == "row"]
    rows = [r for r in rows if all(r.get(key) == value for key, value in place.where.items())]
    wanted = ", ".join(f"{key}={value}" for key, value in place.where.items())
    if not rows:
        return f"no row with {wanted} in {place.file}"
    if len(rows) > 1:
        raise ConfigError(f"{place.file}: {len(rows)} rows with {wanted}; say more in 'where'")
    if rows[0].get("status", "ok") != "ok":
        return f"the row with {wanted} in {place.file} ended as {rows[0]['status']}"
    return rows[0]


def _figure(found: Any, place: Place) -> Figure:
    if found is None:  # a level that no run reached
        return Figure(math.inf, math.inf, math.inf)
    if isinstance(found, list) and found:  # one entry a seed: the median and the range
        seeds = [_figure(entry, place) for entry in found]
        middle = median(seed.value for seed in seeds)
        return Figure(middle, min(s.low for s in seeds), max(s.high for s in seeds))
    if isinstance(found, Mapping):
        name = next((name for name in MIDDLES if name in found), None)
        if name is not None:
            value = float(found[name])
            bound = found.get("bound")  # a gain known from one side alone
            low = -math.inf if bound == "at most" else float(found.get("low", value))
            high = math.inf if bound == "at least" else float(found.get("high", value))
            return Figure(value, low, high)
    if isinstance(found, int | float) and not isinstance(found, bool):
        return Figure(float(found), float(found), float(found))
    raise ConfigError(f"{place.file}: key {place.key} is no figure but {found!r}")


def judge(root: Path, claim: Claim) -> Verdict:
    """Return the verdict of the rules, by the ends of the intervals."""
    figures = {name: figure(root, place) for name, place in claim.figures.items()}
    if claim.untestable:
        return Verdict("cannot be tested on this machine", claim.untestable, figures)
    missing = sorted({found for found in figures.values() if isinstance(found, str)})
    if missing:
        return Verdict("not run yet", "; ".join(missing), figures)
    known = {name: found for name, found in figures.items() if isinstance(found, Figure)}
    held = {str(rule): _holds(rule, known) for rule in claim.rules}
    failed = [rule for rule, holds in held.items() if holds is False]
    open_ = [rule for rule, holds in held.items() if holds is None]
    if failed:
        return Verdict("not supported here", f"fails: {'; '.join(failed)}", figures)
    if open_:
        return Verdict("undecided", f"intervals overlap: {'; '.join(open_)}", figures)
    return Verdict("supported", f"holds: {'; '.join(held)}", figures)


def _holds(rule: Rule, figures: Mapping[str, Figure]) -> bool | None:
    """Return whether a rule holds over the whole of both intervals; None where they overlap."""
    left, t = figures[rule.left], rule.threshold
    right = figures[rule.right] if rule.right else Figure(1.0, 1.0, 1.0)
    if rule.relation is Relation.above:
        above, below = left.low > t * right.high, left.high <= t * right.low
        return True if above else False if below else None
    below, above = left.high < t * right.low, left.low >= t * right.high
    return True if below else False if above else None
