"""Velocities from the state, and the rates of the state from velocities."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from pdebench_channel.eddies import Eddies
from pdebench_channel.modes import Modes, times
from pdebench_channel.operators import Wall


@final
@dataclass(frozen=True, eq=False)
class Flow:
    """The equations of Kim, Moin and Moser (1987) without their linear part.

        (lap v)_t = h_v + nu lap^2 v,      h_v = -d_y (d_x H_x + d_z H_z) + (d_xx + d_zz) H_y
        eta_t     = h_g + nu lap eta,      h_g = d_z H_x - d_x H_z,   eta = d_z u - d_x w
        H = u x curl u + d_j (2 nu_t S_ij),   v = v_y = eta = 0 at the walls

    The state is [v, eta], coefficients (2, A, Z', m, 2, B) on the m inner nodes. Mode (0, 0) of eta
    is nothing; the mean velocities are kept there, as U + i W: they obey the same operator, with
    H_x + G + i H_z as their rate.

    Attributes:
        modes: in x and z.
        wall: operators in y.
        eddies: subgrid model; None for none.
        viscosity: nu, for the wall units of the subgrid model.
    """

    modes: Modes
    wall: Wall
    eddies: Eddies | None = None
    viscosity: float = 0.0

    def state(self, velocity: Tensor) -> Tensor:
        """Return the state of velocity coefficients (3, A, Z', n, 2, B)."""
        u, v, w = velocity.unbind(0)
        eta = 1j * (self.modes.kz * u - self.modes.kx * w)
        mean = torch.complex(u[0, 0, :, 0].real, w[0, 0, :, 0].real)
        eta[0, 0, :, 0] = mean
        v = v.clone()
        v[0, 0] = 0.0
        return torch.stack([v, eta])[..., 1:-1, :, :]

    def velocity(self, state: Tensor) -> Tensor:
        """Return velocity coefficients (3, A, Z', n, 2, B), free of divergence.

        u = i (k_x v_y - k_z eta) / k^2,   w = i (k_z v_y + k_x eta) / k^2
        """
        v, eta = _walled(state).unbind(0)
        slope = times(self.wall.first, v)
        over = 1j * self.modes.inverse_square
        u = over * (self.modes.kx * slope - self.modes.kz * eta)
        w = over * (self.modes.kz * slope + self.modes.kx * eta)
        u[0, 0, :, 0] = eta[0, 0, :, 0].real.to(u.dtype)
        w[0, 0, :, 0] = eta[0, 0, :, 0].imag.to(w.dtype)
        return torch.stack([u, v, w])

    def rates(self, state: Tensor, gradient: float) -> tuple[Tensor, Tensor]:
        """Return [h_v, h_g] like the state, and the velocities (B, 3, n, X', Z'') they came from.

        gradient: G, the mean pressure gradient, length/s^2.
        """
        u = self.velocity(state)
        if self.eddies is None:
            fields = self.modes.inverse(torch.cat([u, self._curl(u)]), self.modes.padded)
            v, omega = fields[:, :3], fields[:, 3:]
            product = torch.empty_like(v)
            for i in range(3):
                torch.mul(v[:, i - 2], omega[:, i - 1], out=product[:, i])
                product[:, i].addcmul_(v[:, i - 1], omega[:, i - 2], value=-1)
            h = self.modes.forward(product)
        else:
            v, h = self._filtered(u, self.eddies)
        return self._rates(h, gradient), v

    def _curl(self, u: Tensor) -> Tensor:
        slope = times(self.wall.first, u)
        ikx, ikz = 1j * self.modes.kx, 1j * self.modes.kz
        return torch.stack([slope[2] - ikz * u[1], ikz * u[0] - ikx * u[2], ikx * u[1] - slope[0]])

    def _filtered(self, u: Tensor, eddies: Eddies) -> tuple[Tensor, Tensor]:
        """Return velocities and H with the divergence of the subgrid stress."""
        ikx, ikz = 1j * self.modes.kx, 1j * self.modes.kz
        every = torch.cat([u, ikx * u, times(self.wall.first, u), ikz * u])
        v, by_x, by_y, by_z = self.modes.inverse(every, self.modes.padded).split(3, dim=1)
        rows = [[by_x[:, i], by_y[:, i], by_z[:, i]] for i in range(3)]
        omega = [rows[i - 1][i - 2] - rows[i - 2][i - 1] for i in range(3)]
        product = [v[:, i - 2] * omega[i - 1] - v[:, i - 1] * omega[i - 2] for i in range(3)]
        nu_t = eddies.viscosity(rows, self.wall.axis, self.modes, self.viscosity)
        pairs = [(i, j) for i in range(3) for j in range(i, 3)]
        stress = [nu_t * (rows[i][j] + rows[j][i]) for i, j in pairs]
        spectra = self.modes.forward(torch.stack([*product, *stress], 1))
        s = {p: spectra[3 + n] for n, p in enumerate(pairs)}
        forces = [
            ikx * s[0, i] + times(self.wall.first, s[min(1, i), max(1, i)]) + ikz * s[i, 2]
            for i in range(3)
        ]
        return v, spectra[:3] + torch.stack(forces)

    def _rates(self, h: Tensor, gradient: float) -> Tensor:
        kx, kz = self.modes.kx, self.modes.kz
        along = 1j * (kx * h[0] + kz * h[2])
        h_v = -times(self.wall.first, along) - self.modes.square * h[1]
        h_g = 1j * (kz * h[0] - kx * h[2])
        h_g[0, 0, :, 0] = torch.complex(h[0, 0, 0, :, 0].real + gradient, h[2, 0, 0, :, 0].real)
        return torch.stack([h_v, h_g])[..., 1:-1, :, :]


def _walled(state: Tensor) -> Tensor:
    """Return the state with its zeros at the walls."""
    out = state.new_zeros((*state.shape[:3], state.shape[3] + 2, *state.shape[4:]))
    out[..., 1:-1, :, :] = state
    return out
