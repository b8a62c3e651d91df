"""What `GeneratedDataset` does for every data set, on one whose numbers are known by hand."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar, final

import numpy as np
import pytest
import torch
import xarray
from torch import Tensor

from pdebench.dataset import Card
from pdebench.domain import Grid
from pdebench.equation import Equation
from pdebench.errors import DataError
from pdebench.files import Layout, Variable
from pdebench.generated import GeneratedDataset
from pdebench.generation import Recipe, sample_generator
from pdebench.problem import Index, Problem
from pdebench.samples import Source
from pdebench.stored import Stored


@final
class Doubling(Equation):
    """u = 2 a, the shortest equation there is."""

    @property
    def fields(self) -> dict[str, str]:
        return {"u": "1"}

    @property
    def reference(self) -> str:
        return "none"

    def residual(self, u: Tensor, problem: Problem) -> Tensor:
        return u - 2 * problem.input


@final
class Doubled(Recipe):
    """a and 2 a, wrong by one part in a thousand in every other sample."""

    counts: ClassVar[Mapping[str, int]] = {"train": 3, "test": 33, "ood_sign": 17}
    shard = 2

    def make(self, split: str, indices: range) -> dict[str, np.ndarray]:
        a = np.stack([sample_generator(split, i).standard_normal((1, 5)) for i in indices])
        wrong = np.where(np.array(indices) % 2, 1.001, 1.0)[:, None, None]
        return {"a": a, "u": 2 * wrong * a}

    def layout(self, split: str) -> Layout:
        variable = Variable(("channel", "x"), "1", "a field")
        coordinates = {"channel": (np.array(["value"]), "1"), "x": (np.arange(5.0), "m")}
        return Layout({"a": variable, "u": variable}, coordinates)


class Pairs(Source):
    def __init__(self, stored: Stored) -> None:
        self.stored = stored

    def __len__(self) -> int:
        return len(self.stored)

    def problem(self, index: Index) -> Problem:
        inputs = {"a": torch.from_numpy(self.stored.read("a", index))}
        return Problem(Doubling(), Grid.torus((5,)), inputs)

    def target(self, index: Index) -> Tensor:
        return torch.from_numpy(self.stored.read("u", index))


@final
class DoubledData(GeneratedDataset):
    calls = 0

    def __init__(self, version: str = "1") -> None:
        card = Card("doubled", version, "twice", "u = 2 a", {"u": "1"}, "by hand", "none", {})
        super().__init__(card, Doubled(), {"factor": 2}, workers=1)

    @property
    def equation(self) -> Equation:
        return Doubling()

    def source(self, split: str, stored: Stored) -> Source:
        return Pairs(stored)

    def finer(self, split: str, indices: range) -> Tensor:
        self.calls += 1
        return 2 * self.split(split)[indices.start : indices.stop].problem.input


def test_every_scored_split_states_the_error_of_its_reference(tmp_path: Path) -> None:
    data = DoubledData()
    assert data.card.reference_error is None
    digest = data.prepare(tmp_path)
    # samples 0..3 of test and 0, 1 of ood_sign, one in eight; every other one is wrong by 1e-3
    assert data.card.reference_error == pytest.approx({"test": 5e-4, "ood_sign": 5e-4})
    again = DoubledData()
    assert again.prepare(tmp_path) == digest and again.calls == 0
    assert again.card.reference_error == data.card.reference_error


@pytest.mark.parametrize(
    "content", ['{"test": 0.01}', "[1]", "{", '{"test": [1e-3], "ood_sign": 2}']
)
def test_errors_of_another_format_are_measured_again(tmp_path: Path, content: str) -> None:
    (tmp_path / "reference_error.json").write_text(content)
    data = DoubledData()
    data.prepare(tmp_path)
    assert data.card.reference_error == pytest.approx({"test": 5e-4, "ood_sign": 5e-4})


def test_files_carry_the_texts_of_the_card(tmp_path: Path) -> None:
    DoubledData().prepare(tmp_path)
    with xarray.open_dataset(tmp_path / "test.h5", engine="h5netcdf") as opened:
        assert opened.attrs["equation"] == "u = 2 a" and opened.attrs["split"] == "test"
    with pytest.raises(DataError, match="version='1', expected '2'"):
        DoubledData("2").prepare(tmp_path)


@final
class Paired(DoubledData):
    """The same data made by two processes."""

    def __init__(self) -> None:
        super().__init__()
        self._workers = 2


def test_errors_of_the_reference_do_not_depend_on_workers(tmp_path: Path) -> None:
    one, two = DoubledData(), Paired()
    assert one.prepare(tmp_path / "one") == two.prepare(tmp_path / "two")
    assert one.card.reference_error == two.card.reference_error
    stored = [(tmp_path / name / "reference_error.json").read_text() for name in ("one", "two")]
    assert json.loads(stored[0]) == json.loads(stored[1])
