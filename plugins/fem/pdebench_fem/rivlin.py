"""Incompressible Rivlin-Saunders rubber in plane stress, without a pressure unknown.

    W = C1 (I1 - 3) + C2 (I2 - 3),   C_33 = 1 / d,   I1 = t + 1/d,   I2 = d + t/d

with t = tr C and d = det C of the in-plane C = F^T F. Rivlin and Saunders, Phil. Trans. A 243
(1951); plane stress as in Holzapfel, Nonlinear Solid Mechanics (2000), sec. 6.5.
"""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

_I = torch.eye(2, dtype=torch.float64)


@final
@dataclass(frozen=True)
class Rivlin:
    """Stresses of deformation gradients F (..., 2, 2); C1, C2 in units of stress."""

    c1: float
    c2: float

    @property
    def shear_modulus(self) -> float:
        """Mu = 2 (C1 + C2); Young's modulus is 3 mu."""
        return 2 * (self.c1 + self.c2)

    def second(self, strain: Tensor) -> Tensor:
        """Return S = 2 dW/dC = 2 (W_t I + W_d adj C) of C."""
        t, d, adjugate = _invariants(strain)
        w_t = self.c1 + self.c2 / d
        w_d = self.c2 - (self.c1 + self.c2 * t) / d**2
        return 2 * (w_t * _I + w_d * adjugate)

    def first(self, f: Tensor) -> Tensor:
        """Return P = F S, force per reference area."""
        return f @ self.second(f.mT @ f)

    def tangent(self, f: Tensor) -> Tensor:
        """Return dP_ij/dF_kl = delta_ik S_jl + 2 F_im D_mjnl F_kn, D = dS/dC, (..., 2, 2, 2, 2)."""
        strain = f.mT @ f
        t, d, adjugate = _invariants(strain)
        w_d = self.c2 - (self.c1 + self.c2 * t) / d**2
        mixed, steep = -self.c2 / d**2, 2 * (self.c1 + self.c2 * t) / d**3
        wide = [part[..., None, None] for part in (w_d, mixed, steep)]
        symmetric = torch.einsum("ik,jl->ijkl", _I, _I) + torch.einsum("il,jk->ijkl", _I, _I)
        both = torch.einsum("ij,kl->ijkl", _I, _I)
        one = torch.einsum("ij,...kl->...ijkl", _I, adjugate)
        other = torch.einsum("...ij,kl->...ijkl", adjugate, _I)
        square = torch.einsum("...ij,...kl->...ijkl", adjugate, adjugate)
        moduli = 2 * (wide[1] * (one + other) + wide[2] * square + wide[0] * (both - symmetric / 2))
        geometric = torch.einsum("ik,...jl->...ijkl", _I, self.second(strain))
        return geometric + 2 * torch.einsum("...im,...mjnl,...kn->...ijkl", f, moduli, f)

    def von_mises(self, f: Tensor) -> Tensor:
        """Return the von Mises stress (...,) of sigma = F S F^T; the volume does not change."""
        sigma = f @ self.second(f.mT @ f) @ f.mT
        xx, yy, xy = sigma[..., 0, 0], sigma[..., 1, 1], sigma[..., 0, 1]
        return (xx**2 - xx * yy + yy**2 + 3 * xy**2).sqrt()


def _invariants(strain: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return tr C and det C (..., 1, 1), and adj C = (tr C) I - C."""
    t = (strain[..., 0, 0] + strain[..., 1, 1])[..., None, None]
    d = strain[..., 0, 0] * strain[..., 1, 1] - strain[..., 0, 1] * strain[..., 1, 0]
    return t, d[..., None, None], t * _I - strain
