"""What every data set must do: a check, why it exists, how to mend it."""

import hashlib
import tempfile
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import final

import torch

from pdebench.dataset import Dataset
from pdebench.samples import Samples
from pdebench.testing.findings import Rule

_LOOKED_AT = 4  # samples read per split: enough for every rule, cheap on large sets


@final
class Shelf:
    """A data set under examination, prepared in ``folder``."""

    def __init__(self, make: Callable[[], Dataset], folder: Path) -> None:
        self.make, self.folder = make, folder

    @cached_property
    def dataset(self) -> Dataset:
        """The data set, prepared."""
        made = self.make()
        self.digest = made.prepare(self.folder)
        return made

    def split(self, name: str) -> Samples:
        """One split of it."""
        return self.dataset.split(name)

    @property
    def names(self) -> list[str]:
        """The splits that the card names."""
        return list(self.dataset.card.splits)


def _card(shelf: Shelf) -> str | None:
    card = shelf.dataset.card
    texts = {name: getattr(card, name) for name in ("summary", "equation", "how", "reference")}
    missing = [name for name, text in texts.items() if not str(text).strip()]
    fields = set(shelf.dataset.equation.fields)
    missing += [f"units[{field!r}]" for field in sorted(fields - set(card.units))]
    missing += [name for name in ("train", "valid", "test") if name not in card.splits]
    missing += [f"shifts[{s!r}]" for s, why in card.shifts.items() if len(why.split()) < 2]
    return f"the card lacks {', '.join(missing)}" if missing else None


def _counts(shelf: Shelf) -> str | None:
    wrong = [
        f"{name}: {len(shelf.split(name))} samples, the card says {count}"
        for name, count in shelf.dataset.card.splits.items()
        if len(shelf.split(name)) != count
    ]
    return "; ".join(wrong) or None


def _idempotent(shelf: Shelf) -> str | None:
    _ = shelf.dataset
    again = shelf.make().prepare(shelf.folder)
    if again != shelf.digest:
        return f"a second prepare returned digest {again[:12]}, the first {shelf.digest[:12]}"
    whole = len(again) == 64 and set(again) <= set("0123456789abcdef")
    return None if whole else f"the digest {again!r} is no SHA-256"


def _lazy(shelf: Shelf) -> str | None:
    for name in shelf.names:
        samples = shelf.split(name)
        part = next(samples.chunks())[: min(_LOOKED_AT, len(samples))]
        one = samples[len(part) - 1 : len(part)]
        if not torch.equal(one.target, part.target[-1:]):
            return f"split '{name}': samples[{len(part) - 1}:{len(part)}] differs from the whole"
    return None


def _numbers(shelf: Shelf) -> str | None:
    for name in shelf.names:
        for part in (next(shelf.split(name)[:_LOOKED_AT].chunks()),):
            fields = {"target": part.target, **dict(part.problem.inputs)}
            for field, value in fields.items():
                if not value.is_floating_point() or not bool(torch.isfinite(value).all()):
                    return f"split '{name}': {field} holds NaN, infinity or {value.dtype}"
            if len(part.target) != len(part.problem):
                return f"split '{name}': {len(part.target)} targets, {len(part.problem)} problems"
    return None


def _layout(shelf: Shelf) -> str | None:
    for name in shelf.names:
        part = next(shelf.split(name)[:1].chunks())
        problem, target = part.problem, part.target
        space = problem.domain.shape
        frames = () if problem.times is None else (len(problem.times),)
        rank = 2 + len(frames) + len(space)
        if target.ndim != rank or tuple(target.shape[-len(space) :]) != tuple(space):
            return f"split '{name}': target has shape {tuple(target.shape)} on a domain {space}"
        if frames and target.shape[1] != frames[0]:
            return f"split '{name}': {target.shape[1]} frames, {frames[0]} times"
    return None


def _apart(shelf: Shelf) -> str | None:
    seen: dict[str, str] = {}
    for name in shelf.names:
        samples = shelf.split(name)
        if name in shelf.dataset.card.shifts or name not in ("train", "valid", "test"):
            continue  # other splits may look at the same samples, such as test on a finer grid
        for position in range(len(samples)):
            one = samples[position : position + 1].problem
            given = b"".join(v.cpu().numpy().tobytes() for v in one.inputs.values())
            given += b"".join(v.cpu().numpy().tobytes() for v in one.parameters.values())
            key = hashlib.sha256(given).hexdigest()
            if seen.setdefault(key, name) != name:
                return f"splits '{seen[key]}' and '{name}' share a problem"
    return None


def _unknown(shelf: Shelf) -> str | None:
    try:
        shelf.split("no_such_split")
    except Exception as error:
        said = str(error)
        return None if "no_such_split" in said else f"its error does not name the split: {said}"
    return "an unknown split is answered"


def _fresh(shelf: Shelf) -> str | None:
    """A second folder gives the same content (only where making is cheap: few samples)."""
    if sum(shelf.dataset.card.splits.values()) > 64:
        return None
    with tempfile.TemporaryDirectory() as other:
        digest = shelf.make().prepare(Path(other))
    if digest == shelf.digest:
        return None
    return f"made twice it has digests {shelf.digest[:12]} and {digest[:12]}"


DATASET: tuple[Rule[Shelf], ...] = (
    Rule(
        "card",
        "a number on unknown data means nothing",
        "fill the card: summary, equation, how, reference, a unit per field, train/valid/test, why "
        "each shift is harder",
        _card,
    ),
    Rule(
        "counts",
        "the card is what readers believe",
        "let card.splits say len(split(name))",
        _counts,
    ),
    Rule(
        "prepare twice",
        "every run prepares, only the first makes",
        "return the digest of what is there, and make only what is missing",
        _idempotent,
    ),
    Rule(
        "made alike",
        "others make the data again and compare digests",
        "seed every random number from the configuration, and digest contents, not files' times",
        _fresh,
    ),
    Rule(
        "finite fields",
        "one NaN makes every mean NaN",
        "store finite floating fields",
        _numbers,
    ),
    Rule(
        "layout",
        "solvers and metrics read (B, [T,] C, *S)",
        "give target one frame per problem.times and the domain's shape last",
        _layout,
    ),
    Rule(
        "slices",
        "training reads batches, scoring reads chunks, of the same samples",
        "let Source.target(index) return what the whole holds at index",
        _lazy,
    ),
    Rule(
        "splits apart",
        "a sample that was trained on is no test",
        "draw the splits from different streams of one seed",
        _apart,
    ),
    Rule(
        "unknown split",
        "a typing error must not score something else",
        "raise an error that names the split and lists the known ones",
        _unknown,
    ),
)
