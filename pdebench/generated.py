"""Base of every data set that a recipe makes: files, checks, card, splits, reference error."""

import contextlib
import hashlib
import json
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, final

from torch import Tensor

from pdebench.atomic import write_atomically
from pdebench.dataset import Card, Dataset
from pdebench.errors import ConfigError, DataError
from pdebench.files import verify
from pdebench.generation import Recipe, generate
from pdebench.metrics.errors import relative_l2
from pdebench.problem import Solution
from pdebench.progress import steps
from pdebench.samples import Samples, Source
from pdebench.stored import Stored
from pdebench.workers import Workers

_ERRORS = "reference_error.json"


def check_counts(counts: Mapping[str, int], known: Sequence[str]) -> None:
    """Raise ConfigError unless ``dataset.counts`` gives positive numbers for splits that there
    are.
    """
    if set(counts) - set(known) or min(counts.values(), default=0) < 1:
        raise ConfigError(
            f"dataset.counts={dict(counts)}, expected positive numbers for some of "
            f"{', '.join(known)}"
        )


class GeneratedDataset(Dataset):
    """A data set whose files a `Recipe` makes, one per split, in one folder.

    A family gives ``equation``, ``source`` (how arrays become problems and targets) and ``finer``
    (the same samples, solved better). Files carry the card's texts, ``settings`` as JSON under
    ``recipe`` and the digest of their content; files of another data set, version or recipe are
    refused. After the files are made, the first samples of every split that is scored (one in
    eight, see ``checked``) are solved again by ``finer``: the mean relative L2 difference, as
    `pdebench.metrics.errors.relative_l2` measures it, is the split's ``reference_error`` on the
    card.

    Args:
        card: all that is known before anything is made; its splits are the recipe's.
        recipe: how samples are made.
        settings: every number, text and list of numbers that the samples depend on.
        workers: processes; None for one per core. Does not change the samples.
    """

    checked: ClassVar[Mapping[str, int]] = {"test": 4, "train": 0, "valid": 0}
    """Split -> most samples solved again; 2 for splits not named. A data set without a split
    ``test`` checks those of its first split, at most 4."""

    chunk: ClassVar[int | None] = None
    """Samples that are scored together; 1 where every sample has a domain of its own."""

    def __init__(
        self,
        card: Card,
        recipe: Recipe,
        settings: Mapping[str, Any],
        workers: int | None = None,
    ) -> None:
        self._made_of = replace(card, splits=dict(recipe.counts))
        self._attributes = {
            "dataset": card.name,
            "version": card.version,
            "title": card.summary,
            "equation": card.equation,
            "history": card.how,
            "references": card.reference,
            "recipe": json.dumps(settings, sort_keys=True),
        }
        self._recipe, self._workers = recipe, workers
        self._folder: Path | None = None
        self._errors: dict[str, list[float]] = {}

    @abstractmethod
    def source(self, split: str, stored: Stored) -> Source:
        """Return problems and targets over the arrays of a split's file."""

    @abstractmethod
    def finer(self, split: str, indices: range) -> Iterable[Tensor]:
        """Return the targets ([T,] C, *S) of these samples, solved with half the step and twice the
        resolution, or by an independent method of smaller error.
        """

    @property
    def recipe(self) -> Recipe:
        """How the samples are made."""
        return self._recipe

    @property
    def workers(self) -> int | None:
        """Processes that make samples; None for one per core."""
        return self._workers

    @property
    @final
    def card(self) -> Card:
        sizes = self._checks()
        rows = {split: self._errors.get(split, [])[:size] for split, size in sizes.items()}
        means = {split: sum(part) / len(part) for split, part in rows.items() if part}
        return replace(self._made_of, reference_error=means or None)

    @final
    def prepare(self, folder: Path) -> str:
        with Workers(self._workers) as workers:
            generate(self._recipe, folder, workers, attributes=self._attributes)
            expected = {key: self._attributes[key] for key in ("dataset", "version", "recipe")}
            digests = [
                f"{split}:{verify(folder / f'{split}.h5', expected, self._names(split))}"
                for split in sorted(self._recipe.counts)
            ]
            self._folder = folder
            self._check_reference(folder / _ERRORS, workers)
        return hashlib.sha256("\n".join(digests).encode()).hexdigest()

    def _names(self, split: str) -> Iterable[str]:
        return self._recipe.layout(split).variables

    @final
    def split(self, name: str) -> Samples:
        card = self._made_of
        if name not in card.splits:
            raise ConfigError(f"{card.name} has no split '{name}'; it has {', '.join(card.splits)}")
        if self._folder is None:
            raise DataError(f"{card.name} is not prepared; call prepare(folder) first")
        return Samples(self.source(name, Stored(self._folder / f"{name}.h5")), chunk=self.chunk)

    def _check_reference(self, file: Path, workers: Workers) -> None:
        """Measure the errors that ``file`` does not hold yet; write them split by split."""
        with contextlib.suppress(OSError, ValueError, AttributeError):
            kept = json.loads(file.read_text(encoding="utf-8"))
            # one number a split: written by an older version, measured again
            self._errors = {key: rows for key, rows in kept.items() if isinstance(rows, list)}
        sizes = self._checks()
        left = [split for split in sizes if len(self._errors.get(split, ())) < sizes[split]]
        rows: dict[str, dict[int, float]] = {split: {} for split in left}
        jobs = [(self, split, index) for split in left for index in range(sizes[split])]
        found = workers.run(_gap, jobs)
        for split, index, gap in steps(found, "solving samples again, finer", total=len(jobs)):
            rows[split][index] = gap
            if len(rows[split]) == sizes[split]:
                self._errors[split] = [rows[split][i] for i in range(sizes[split])]
                write_atomically(file, json.dumps(self._errors).encode())

    def _checks(self) -> dict[str, int]:
        counts = self._recipe.counts
        wanted = {split: self.checked.get(split, 2) for split in counts}
        if not any(wanted.values()):
            wanted[next(iter(counts))] = 4
        return {
            split: min(size, max(1, counts[split] // 8)) for split, size in wanted.items() if size
        }


def _gap(data: GeneratedDataset, split: str, index: int) -> tuple[str, int, float]:
    """Return the error of one stored sample against the finer one, with its place."""
    one = data.split(split)[index : index + 1]
    (exact,) = data.finer(split, range(index, index + 1))
    got = Solution(one.target.double())
    return split, index, float(relative_l2(got, exact.double().unsqueeze(0), one.problem))
