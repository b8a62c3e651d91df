"""Geo-FNO elasticity: .npy files with the samples last."""

from pathlib import Path
from typing import ClassVar, final

import numpy as np

from pdebench.errors import DataError
from pdebench.formats.contents import Contents, Roles, Variable
from pdebench.formats.lazy import Mapped, Transposed
from pdebench.formats.place import Place, npy
from pdebench.formats.protocols import test_last
from pdebench.formats.reader import Reader


@final
class GeoFNO(Reader):
    """``*_XY_*.npy`` (point, 2, sample), ``*_sigma_*.npy`` (point, sample), perhaps ``*_rr_*.npy``.

    Or, in a folder of interpolated fields, ``*_mask_*`` and ``*_sigma_*`` (x, y, sample).
    """

    name: ClassVar[str] = "geo_fno"
    title: ClassVar[str] = "Geo-FNO elasticity"
    expects: ClassVar[str] = "files *_XY_*.npy (or *_mask_*.npy) and *_sigma_*.npy in one folder"

    def matches(self, place: Place) -> bool:
        return place.kind == "folder" and bool(
            _one(place, "sigma") and (_one(place, "XY") or _one(place, "mask"))
        )

    def open(self, place: Place, split: str | None = None) -> Contents:
        sigma = npy(_need(place, "sigma"))
        num = sigma.shape[-1]
        cloud = _one(place, "XY") is not None
        space = ("point",) if cloud else ("x", "y")
        rank = len(space) + 1
        if sigma.ndim != rank:
            raise DataError(
                f"'{place.path}' has stresses of shape {sigma.shape}, expected "
                f"({', '.join(space)}, sample); the samples come last in this layout"
            )
        last = (rank - 1, *range(rank - 1))
        stress = Variable(("sample", *space), Transposed(Mapped(sigma), last), "Pa", "stress")
        variables = {"sigma": stress}
        given: tuple[str, ...] = ()
        if cloud:
            points = npy(_need(place, "XY"))
            if points.ndim != 3 or points.shape[1:] != (2, num) or len(points) != len(sigma):
                raise DataError(
                    f"'{place.path}' has points of shape {points.shape}, expected "
                    f"({len(sigma)}, 2, {num}) beside stresses {sigma.shape}; samples come last"
                )
            order = Transposed(Mapped(points), (2, 0, 1))
            variables["position"] = Variable(("sample", "point", "component"), order, "m", "nodes")
        else:
            mask = npy(_need(place, "mask"))
            if mask.shape != sigma.shape:
                raise DataError(
                    f"'{place.path}' has a mask of shape {mask.shape} beside stresses "
                    f"{sigma.shape}, expected one shape; move the odd file away"
                )
            variables["mask"] = Variable(stress.dims, Transposed(Mapped(mask), last), "1", "mask")
            given = ("mask",)
        radius = _one(place, "rr")
        if radius is not None and npy(radius).ndim == 2 and npy(radius).shape[1] == num:
            lines = Transposed(Mapped(npy(radius)), (1, 0))
            variables["radius"] = Variable(("sample", "angle"), lines, "m", "radius of the void")
        coordinates = (
            {}
            if cloud
            else {
                axis: (np.linspace(0, 1, n), "m")
                for axis, n in zip(space, sigma.shape, strict=False)
            }
        )
        return Contents(
            self.name,
            place.path,
            variables,
            coordinates,
            Roles(("sigma",), given, position="position" if cloud else None),
            test_last(num, 1000, 200),
            "the first 1000 samples train, the last 200 test, as published; validation is taken "
            "just before the test samples",
            {},
            "div sigma = 0, hyperelastic",
            "Li et al. 2022, Geo-FNO, arXiv 2207.05209",
        )


def _one(place: Place, what: str) -> Path | None:
    # Interpolated fields lie in a folder below; what lies highest is meant.
    found = [file for file in place.named(".npy") if f"_{what}_" in file.name]
    return min(found, key=lambda file: (len(file.parts), file.name), default=None)


def _need(place: Place, what: str) -> Path:
    found = _one(place, what)
    if found is None:
        raise DataError(f"'{place.path}' lacks a file *_{what}_*.npy; put it beside the others")
    return found
