"""Incompressible flow between two walls, in velocities."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, final, get_args

import torch
from torch import Tensor

from pdebench.chebyshev import differentiation, gauss_lobatto
from pdebench.domain import Axis, Domain, Grid
from pdebench.equation import Equation
from pdebench.equations.differences import Scheme, check_scheme, defects, frame_step
from pdebench.errors import ConfigError, Unsupported
from pdebench.problem import Problem

Drive = Literal["pressure_gradient", "mass_flux"]


def channel_axes(domain: Domain, needed_by: str) -> tuple[Axis, Axis, Axis]:
    """Return the axes x, y, z of a channel: periodic, Gauss-Lobatto, periodic.

    Raises Unsupported, naming who needs them, elsewhere.
    """
    if isinstance(domain, Grid) and domain.dim == 3:
        x, y, z = domain.axes
        if x.periodic and x.uniform and z.periodic and z.uniform and not y.periodic:
            return x, gauss_lobatto(y, needed_by), z
    raise Unsupported(
        f"{needed_by} needs a channel: periodic uniform x and z, walls at both ends of y; the "
        f"domain is a {type(domain).__name__} of shape {domain.shape}"
    )


@final
@dataclass(frozen=True)
class ChannelFlow(Equation):
    """The Navier-Stokes equations between two walls, driven along x.

        du/dt = u x curl u - grad p + G e_x + nu lap u,   div u = 0,   u = 0 at both ends of y

    p is the periodic part of the total pressure. The residual knows no pressure: it is what
    du/dt - (u x curl u + G e_x + nu lap u) leaves when its gradient part is removed,

        r - grad phi,   lap phi = div r,   phi_y = r_y at the walls

    which is zero for every solution. Input: "velocity" (B, [T_in,] 3, *S), length/s, x streamwise,
    y wall-normal. Parameters: "viscosity" nu (B,), length^2/s. In units of half-width and friction
    velocity G = 1 and nu = 1/Re_tau. Kim, Moin and Moser, J. Fluid Mech. 177 (1987), eq. 1.

    Attributes:
        drive: "pressure_gradient": G is ``gradient``. "mass_flux": G keeps the flux of the initial
            field, and whatever is constant in the streamwise residual is G's.
        gradient: G, length/s^2.
        scheme: time derivative of `residual`.
    """

    drive: Drive = "pressure_gradient"
    gradient: float = 1.0
    scheme: Scheme = "central"

    def __post_init__(self) -> None:
        check_scheme(self.scheme)
        if self.drive not in get_args(Drive):
            raise ConfigError(
                f"equation.drive='{self.drive}', expected {', '.join(get_args(Drive))}"
            )

    @property
    def fields(self) -> Mapping[str, str]:
        return {f"velocity_{axis}": "length/s" for axis in "xyz"}

    @property
    def reference(self) -> str:
        return "Kim, Moin and Moser, J. Fluid Mech. 177 (1987), eq. 1"

    def residual(self, u: Tensor, problem: Problem) -> Tensor:
        """Return momentum and continuity at the frames of the scheme, initial frame included.

        u: (B, T, 3, *S) at equally spaced ``problem.times``.  Returns (B, T', 4, *S): momentum
        without its gradient part, length/s^2, and div u, 1/s, at the same frames (all T for
        crank_nicolson); T' = T - 1 for central, T + 1 for mixed, T for crank_nicolson. At the walls
        momentum is replaced by u / (spacing of the frames): no slip. Raises Unsupported off a
        channel, for steady problems, and for unequal or too few frames.
        """
        axes = channel_axes(problem.domain, "the channel residual")
        if "viscosity" not in problem.parameters:
            raise Unsupported(
                "the channel needs parameters['viscosity'], the problem has "
                f"{sorted(problem.parameters)}"
            )
        step = frame_step(problem)
        operators = _Operators.of(axes, u)
        frames = torch.cat([problem.initial.to(u).unsqueeze(1), u], dim=1)
        nu = problem.parameters["viscosity"].to(u).view(-1, 1, 1, 1, 1, 1)
        used = frames[:, 1:-1] if self.scheme == "central" else frames
        gradient = operators.gradient(used)
        forced = operators.advection(used, gradient) + nu * operators.laplacian(used, gradient)
        forced[:, :, 0] += self.gradient
        found = operators.solenoidal(defects(frames, forced, step, self.scheme))
        slip = used
        divergence = sum(gradient[i][:, :, i] for i in range(3))
        assert isinstance(divergence, Tensor)
        if self.scheme == "crank_nicolson":
            slip, divergence = slip[:, 1:], divergence[:, 1:]
        if self.drive == "mass_flux":
            weights = (axes[1].weights / axes[1].weights.sum()).to(u)
            bulk = (found[:, :, 0].mean((-3, -1)) * weights).sum(-1)
            found = torch.cat(
                [found[:, :, :1] - bulk[..., None, None, None, None], found[:, :, 1:]], 2
            )
        walls = slip[..., [0, -1], :] / step
        found = torch.cat([walls[..., :1, :], found[..., 1:-1, :], walls[..., 1:, :]], -2)
        return torch.cat([found, divergence.unsqueeze(2)], dim=2)


@final
@dataclass(frozen=True, eq=False)
class _Operators:
    """Derivatives and projection on fields (..., 3, X, Y, Z) of one grid, device and precision."""

    first: Tensor
    second: Tensor
    kx: Tensor
    kz: Tensor
    inverse: Tensor

    @classmethod
    def of(cls, axes: tuple[Axis, Axis, Axis], like: Tensor) -> "_Operators":
        x, y, z = axes
        first, second = differentiation(y, 2)
        kx = torch.fft.fftfreq(len(x.nodes), 1 / len(x.nodes), dtype=torch.float64)
        kz = torch.arange(len(z.nodes) // 2 + 1, dtype=torch.float64)
        kx, kz = kx * (2 * math.pi / x.length), kz * (2 * math.pi / z.length)
        if len(x.nodes) % 2 == 0:
            kx[len(x.nodes) // 2] = 0.0  # the Nyquist mode's derivative vanishes at the nodes
        if len(z.nodes) % 2 == 0:
            kz[-1] = 0.0
        square = kx[:, None].square() + kz.square()
        system = second - square[..., None, None] * torch.eye(len(y.nodes), dtype=torch.float64)
        system[..., 0, :], system[..., -1, :] = first[0], first[-1]
        # phi is free up to a constant where k = 0: fix it at a wall, whose equation is implied
        system[square == 0, 0, :] = torch.eye(len(y.nodes), dtype=torch.float64)[0]
        inverse = torch.linalg.inv(system)
        return cls(first.to(like), second.to(like), kx.to(like), kz.to(like), inverse.to(like))

    def _along(self, u: Tensor, axis: int) -> Tensor:
        """Return the derivative of u (..., X, Y, Z) along x (0) or z (2)."""
        dim, num = axis - 3, u.shape[axis - 3]
        k = self.kx[: num // 2 + 1] if axis == 0 else self.kz
        factor = (1j * k).reshape(-1, *(1,) * (-dim - 1))
        return torch.fft.irfft(torch.fft.rfft(u, dim=dim) * factor, n=num, dim=dim)

    def gradient(self, u: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return d u / dx, d u / dy, d u / dz."""
        return self._along(u, 0), self.first @ u, self._along(u, 2)

    def laplacian(self, u: Tensor, gradient: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Return lap u."""
        return self._along(gradient[0], 0) + self.second @ u + self._along(gradient[2], 2)

    def advection(self, u: Tensor, gradient: tuple[Tensor, Tensor, Tensor]) -> Tensor:
        """Return u x curl u, free of aliasing in x and z."""
        by_x, by_y, by_z = gradient
        curl = [
            by_y[..., 2, :, :, :] - by_z[..., 1, :, :, :],
            by_z[..., 0, :, :, :] - by_x[..., 2, :, :, :],
            by_x[..., 1, :, :, :] - by_y[..., 0, :, :, :],
        ]
        a = [_padded(c) for c in u.unbind(-4)]
        b = [_padded(c) for c in curl]
        product = [a[i - 2] * b[i - 1] - a[i - 1] * b[i - 2] for i in range(3)]
        return torch.stack([_cut(c, u.shape[-3], u.shape[-1]) for c in product], -4)

    def solenoidal(self, r: Tensor) -> Tensor:
        """Return r - grad phi with lap phi = div r, phi_y = r_y at the walls."""
        spectrum = torch.fft.rfft2(r, dim=(-3, -1)).transpose(-3, -2)  # (..., 3, Y, X, Z)
        rx, ry, rz = spectrum.unbind(-4)
        ikx, ikz = 1j * self.kx[:, None], 1j * self.kz
        source = ikx * rx + ikz * rz + _over_y(self.first, ry)
        source = torch.cat([ry[..., :1, :, :], source[..., 1:-1, :, :], ry[..., -1:, :, :]], -3)
        fixed = source[..., 0, :, :] * ((ikx.abs() + ikz.abs()) > 0)
        source = torch.cat([fixed.unsqueeze(-3), source[..., 1:, :, :]], -3)
        phi = torch.einsum("xzij,...jxz->...ixz", self.inverse.to(source), source)
        slope = torch.stack([ikx * phi, _over_y(self.first, phi), ikz * phi], -4)
        left = (spectrum - slope).transpose(-3, -2)
        return torch.fft.irfft2(left, s=(r.shape[-3], r.shape[-1]), dim=(-3, -1))


def _over_y(matrix: Tensor, field: Tensor) -> Tensor:
    """Apply a real matrix along y of a complex field (..., Y, X, Z)."""
    return torch.einsum("ij,...jxz->...ixz", matrix.to(field), field)


def _padded(field: Tensor) -> Tensor:
    """Return a field (..., X, Y, Z) on 3/2 as many points in x and z."""
    x, z = field.shape[-3], field.shape[-1]
    return _resampled(field, 2 * math.ceil(0.75 * x), 2 * math.ceil(0.75 * z), x, z)


def _cut(field: Tensor, x: int, z: int) -> Tensor:
    """Return a field on x and z points, Nyquist modes removed."""
    return _resampled(field, x, z, x, z)


def _resampled(field: Tensor, x: int, z: int, kept_x: int, kept_z: int) -> Tensor:
    spectrum = torch.fft.rfft2(field, dim=(-3, -1), norm="forward")
    a, b = (kept_x - 1) // 2, (kept_z - 1) // 2 + 1
    shape = (*field.shape[:-3], x, field.shape[-2], z // 2 + 1)
    out = spectrum.new_zeros(shape)
    out[..., : a + 1, :, :b] = spectrum[..., : a + 1, :, :b]
    if a:
        out[..., -a:, :, :b] = spectrum[..., -a:, :, :b]
    return torch.fft.irfft2(out, s=(x, z), dim=(-3, -1), norm="forward")
