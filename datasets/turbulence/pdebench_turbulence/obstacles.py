"""Random obstacles in a unit box, and face velocities that do not enter them."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pdebench.equations.pressure import FLUID, SOLID, shut_in
from pdebench.generation import sample_generator

Array = NDArray[np.float64]
Kind = Literal["mixed", "plates"]
_WAVES = 6  # largest wavenumber index of the velocity


def draw_mask(stream: str, index: int, grid: int, kind: Kind) -> NDArray[np.int8]:
    """Return the cells (n, n, n) of mask ``index``: 1 fluid, 0 solid; air lies above.

    "mixed": one to four spheres and boxes of radius 0.06 to 0.2. "plates": three to five horizontal
    plates with a hole each, which make the flow wind. Fluid that is shut in becomes solid. Drawn in
    the unit box, so one mask exists on every grid.
    """
    random = sample_generator(f"{stream}/mask/{kind}", index)
    axis = (np.arange(grid) + 0.5) / grid
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    solid = np.zeros((grid,) * 3, bool)
    if kind == "plates":
        for height in np.linspace(0.15, 0.85, random.integers(3, 6)):
            hole = random.uniform(0.2, 0.8, 2)
            open_ = np.maximum(abs(x - hole[0]), abs(y - hole[1])) < random.uniform(0.1, 0.2)
            solid |= (abs(z - height) < 0.035) & ~open_
    else:
        for _ in range(random.integers(1, 5)):
            centre, radius = random.uniform(0.2, 0.8, 3), random.uniform(0.06, 0.2)
            away = [x - centre[0], y - centre[1], z - centre[2]]
            if random.random() < 0.5:
                solid |= sum(a**2 for a in away) < radius**2
            else:
                sides = radius * random.uniform(0.5, 1.0, 3)
                solid |= np.all([abs(a) < s for a, s in zip(away, sides, strict=True)], axis=0)
    mask = np.where(solid, SOLID, FLUID).astype(np.int8)
    for pocket in shut_in(mask, open_top=True):
        mask[pocket > 0] = SOLID
    return mask


def divergence(stream: str, index: int, mask: NDArray[np.int8]) -> Array:
    """Return b = -div u* (n, n, n) of a random face velocity, zero on solid faces and walls.

    Every component is a sum of sines with indices up to 6 and amplitudes falling like |k|^{-5/6},
    the spectrum k^{-5/3} per shell, plus a rising plume; the top is open. Spacing 1.
    """
    grid = len(mask)
    random = sample_generator(f"{stream}/velocity", index)
    fluid = np.pad(mask == FLUID, 1)
    fluid[1:-1, 1:-1, -1] = True  # air above
    total = np.zeros(mask.shape)
    for axis in range(3):
        field = _component(random, grid, axis)
        low, high = [slice(1, -1)] * 3, [slice(1, -1)] * 3
        low[axis], high[axis] = slice(0, -1), slice(1, None)
        passable = fluid[tuple(low)] & fluid[tuple(high)]
        total += np.diff(np.where(passable, field, 0.0), axis=axis)
    return np.where(mask == FLUID, -total, 0.0)


def _component(random: np.random.Generator, grid: int, axis: int) -> Array:
    """Return one velocity component on its faces: n + 1 of them along ``axis``."""
    k = np.arange(1, _WAVES + 1)
    size = np.sqrt(k[:, None, None] ** 2 + k[:, None] ** 2 + k**2) ** (-11 / 6)
    weights = size * random.standard_normal((_WAVES,) * 3)
    phases = random.uniform(0, 2 * np.pi, (3, _WAVES))
    lines = []
    for a in range(3):
        points = np.arange(grid + 1) / grid if a == axis else (np.arange(grid) + 0.5) / grid
        lines.append(np.sin(np.pi * k[:, None] * points + phases[a][:, None]))
    field = np.einsum("abc,ax,by,cz->xyz", weights, *lines)
    if axis == 2:
        centre = random.uniform(0.3, 0.7, 2)
        flat = (np.arange(grid) + 0.5) / grid
        plume = np.exp(-(((flat[:, None] - centre[0]) ** 2 + (flat - centre[1]) ** 2) / 0.02))
        field += plume[..., None]
    return field
