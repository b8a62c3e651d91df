"""Several data sets as one, for training on many flows at once."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import accumulate
from pathlib import Path
from typing import final

import numpy as np
import torch
from torch import Tensor

from pdebench.atomic import write_atomically
from pdebench.dataset import Card, Dataset
from pdebench.equation import Equation
from pdebench.errors import ConfigError, Unsupported
from pdebench.problem import Index, Problem
from pdebench.samples import Samples, Source
from pdebench.workers import Workers


@final
class Mixture(Dataset):
    """The union of data sets on one grid with the same fields, split by split.

    A split that not every part has holds the samples of those that do. Trajectories are cut to the
    fewest frames of all parts; where their spacings differ, times count frames, and of several
    given frames only the last is kept (a question such as `Evolve` gives more). The parts obey
    different equations: solvers of an equation do not apply, operators with labels do.

    Args:
        parts: the data sets by name, in order.
        name: what the mixture is called on cards and boards.
    """

    def __init__(self, parts: Mapping[str, Dataset], name: str) -> None:
        if len(parts) < 2:
            raise ConfigError(f"dataset.parts has {len(parts)} data set(s), expected at least two")
        self._parts, self._name = dict(parts), name

    @property
    def card(self) -> Card:
        cards = [part.card for part in self._parts.values()]
        splits: dict[str, int] = {}
        errors: dict[str, float] = {}
        for card in cards:
            for split, size in card.splits.items():
                splits[split] = splits.get(split, 0) + size
            for split, error in (card.reference_error or {}).items():
                errors[split] = max(errors.get(split, 0.0), error)
        return Card(
            name=self._name,
            version="+".join(card.version for card in cards),
            summary="Mixture: " + "; ".join(card.summary for card in cards),
            equation="; ".join(dict.fromkeys(card.equation for card in cards)),
            units=cards[0].units,
            how="; ".join(dict.fromkeys(card.how for card in cards)),
            reference="; ".join(dict.fromkeys(card.reference for card in cards)),
            splits=splits,
            shifts=cards[0].shifts,
            reference_error=errors or None,
        )

    @property
    def equation(self) -> Equation:
        return _Several(tuple(part.equation for part in self._parts.values()))

    def prepare(self, folder: Path) -> str:
        with Workers(None):  # once for all parts that have as many
            made = {name: part.prepare(folder / name) for name, part in self._parts.items()}
        text = "\n".join(f"{name}:{digest}" for name, digest in made.items())
        write_atomically(folder / "parts.txt", f"{text}\n".encode())
        return hashlib.sha256(text.encode()).hexdigest()

    def split(self, name: str) -> Samples:
        if name not in self.card.splits:
            known = ", ".join(self.card.splits)
            raise ConfigError(f"{self._name} has no split '{name}'; it has {known}")
        holding = {key: part for key, part in self._parts.items() if name in part.card.splits}
        sources = [part.split(name).source for part in holding.values()]
        return Samples(_Joined(sources, list(holding), self.equation))


@final
class _Several(Equation):
    """The equations of a mixture, of which no sample obeys all."""

    def __init__(self, equations: tuple[Equation, ...]) -> None:
        self._equations = equations

    @property
    def fields(self) -> Mapping[str, str]:
        return self._equations[0].fields

    @property
    def reference(self) -> str:
        return "; ".join(dict.fromkeys(equation.reference for equation in self._equations))

    def residual(self, u: Tensor, problem: Problem) -> Tensor:
        raise Unsupported("the samples of a mixture obey different equations; take one data set")


@final
class _Joined(Source):
    """Sources one after the other, which agree in grid, fields and (after cutting) frames."""

    def __init__(self, sources: Sequence[Source], names: Sequence[str], law: Equation) -> None:
        self._sources, self._law = sources, law
        self._ends = list(accumulate(len(source) for source in sources))
        firsts = [_initial(source.problem(slice(0, 1))) for source in sources]
        self._domain = firsts[0].domain
        for name, first in zip(names, firsts, strict=True):
            _check_alike(name, first, names[0], firsts[0])
        times = [first.times for first in firsts if first.times is not None]
        self._frames = min(map(len, times)) if times else None
        self._times = None
        if self._frames is not None:
            cut = [t[: self._frames] for t in times]
            alike = all(torch.equal(t, cut[0]) for t in cut)
            self._times = cut[0] if alike else torch.arange(1, self._frames + 1).to(cut[0])

    def __len__(self) -> int:
        return self._ends[-1]

    def _pieces(self, index: Index) -> tuple[list[tuple[Source, np.ndarray]], np.ndarray | None]:
        """Return (source, positions in it) in order of sources, and the order that was asked."""
        wanted = np.arange(len(self))[index]
        owner = np.searchsorted(self._ends, wanted, side="right")
        order = np.argsort(owner, kind="stable")
        pieces = []
        for number in np.unique(owner):
            start = self._ends[number - 1] if number else 0
            pieces.append((self._sources[number], wanted[order][owner[order] == number] - start))
        plain = bool((np.diff(owner) >= 0).all())
        return pieces, None if plain else np.argsort(order, kind="stable")

    def problem(self, index: Index) -> Problem:
        pieces, back = self._pieces(index)
        problems = [_initial(source.problem(where)) for source, where in pieces]
        if not problems:
            problems = [_initial(self._sources[0].problem(slice(0, 0)))]
        first = problems[0]
        joined = {
            name: torch.cat([problem.inputs[name] for problem in problems]) for name in first.inputs
        }
        shared = set.intersection(*(set(problem.parameters) for problem in problems))
        parameters = {
            name: torch.cat([problem.parameters[name] for problem in problems])
            for name in first.parameters
            if name in shared
        }
        whole = replace(
            first,
            law=self._law,
            domain=self._domain,
            inputs=joined,
            parameters=parameters,
            times=self._times,
        )
        return whole if back is None else whole.take(back)

    def target(self, index: Index) -> Tensor:
        if self._frames is not None:
            return self.frames(index, slice(0, self._frames))
        return self._joined(index, lambda source, where: source.target(where))

    def frames(self, index: Index, part: slice) -> Tensor:
        start, stop, _ = part.indices(self._frames or 0)
        return self._joined(index, lambda source, where: source.frames(where, slice(start, stop)))

    def _joined(self, index: Index, read: Callable[[Source, Index], Tensor]) -> Tensor:
        pieces, back = self._pieces(index)
        found = [read(source, where) for source, where in pieces]
        whole = torch.cat(found) if found else read(self._sources[0], slice(0, 0))
        return whole if back is None else whole[torch.from_numpy(back)]


def _initial(problem: Problem) -> Problem:
    """Return the problem with the last given frame alone, without an axis of time."""
    if problem.history is None:
        return problem
    inputs = {name: frames[:, -1] for name, frames in problem.inputs.items()}
    return replace(problem, inputs=inputs, history=None)


def _check_alike(name: str, own: Problem, first_name: str, first: Problem) -> None:
    """Raise ConfigError unless a part's samples can stand in one batch with the first part's."""
    shapes = [{key: tuple(v.shape[1:]) for key, v in p.inputs.items()} for p in (own, first)]
    times = [p.times is None for p in (own, first)]
    if own.domain.shape == first.domain.shape and times[0] == times[1]:
        if shapes[0] == shapes[1]:
            return
        raise ConfigError(
            f"dataset.parts: '{name}' has the inputs {shapes[0]}, '{first_name}' {shapes[1]}; "
            "a mixture needs the same fields on the same grid"
        )
    raise ConfigError(
        f"dataset.parts: '{name}' lives on {own.domain.shape} points "
        f"{'without' if times[0] else 'with'} times, '{first_name}' on {first.domain.shape} "
        f"{'without' if times[1] else 'with'}; choose the same grid and kind for all parts"
    )
