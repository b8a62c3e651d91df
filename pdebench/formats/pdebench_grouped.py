"""PDEBench, one group per sample: diffusion-sorption, diffusion-reaction, shallow water."""

from typing import ClassVar, final

from pdebench.errors import DataError
from pdebench.formats.contents import SPACE, Contents, Roles, Variable, coordinate_of
from pdebench.formats.lazy import LazyArray, Stacked
from pdebench.formats.place import Place
from pdebench.formats.protocols import test_first
from pdebench.formats.reader import Reader


@final
class PDEBenchGrouped(Reader):
    """Groups ``0000``, .. with ``data`` (time, x[, y], channel) and ``grid/x``, ``grid/t``.

    Coordinates are those of the first group, whatever its number.
    """

    name: ClassVar[str] = "pdebench_grouped"
    title: ClassVar[str] = "PDEBench, one group per sample"
    expects: ClassVar[str] = "groups '0000', '0001', .. with 'data' and 'grid'"

    def matches(self, place: Place) -> bool:
        seeds = [name for name in place.groups if name.isdigit()]
        return bool(seeds) and "data" in place.handle.file[seeds[0]]

    def open(self, place: Place, split: str | None = None) -> Contents:
        seeds = sorted(name for name in place.groups if name.isdigit())
        parts: list[LazyArray] = []
        for seed in seeds:
            if f"{seed}/data" not in place.handle.file:
                raise DataError(
                    f"'{place.path}' lacks 'data' in the group '{seed}', expected (time, x[, y], "
                    "channel); remove the group"
                )
            parts.append(place.array(f"{seed}/data"))
        data = Stacked(parts, place.path)
        rank = len(data.shape)
        if not 4 <= rank <= 6:
            raise DataError(
                f"'{place.path}' has 'data' of shape {data.shape[1:]}, expected (time, x[, y[, z]],"
                " channel); transpose it"
            )
        axes = ("time", *SPACE[: rank - 3])
        coordinates = {}
        for axis, size in zip(axes, data.shape[1:], strict=False):
            stored = f"{seeds[0]}/grid/{'t' if axis == 'time' else axis}"
            values = coordinate_of(place.path, stored, place.values(stored), size)
            coordinates[axis] = (values, "1")
        return Contents(
            self.name,
            place.path,
            {"data": Variable(("sample", *axes, "channel"), data, "1", "state")},
            coordinates,
            Roles(("data",)),
            test_first(len(seeds)),
            "test is the first tenth, as in PDEBench's reader; the last tenth of the rest is "
            "validation, which PDEBench has not",
            place.attributes,
            "see the file's name",
            "Takamoto et al. 2022, PDEBench, arXiv 2210.07182",
        )
