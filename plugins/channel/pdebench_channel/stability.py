"""Linear stability of plane Poiseuille flow by the solver's own wall-normal matrices."""

import torch
from torch import Tensor

from pdebench.domain import Axis
from pdebench_channel.operators import Wall


def orr_sommerfeld(alpha: float, reynolds: float, num: int) -> tuple[complex, Tensor]:
    """Return omega of the least stable mode of U = 1 - y^2, and its v on all nodes (num,).

    omega (D2 - alpha^2) v = alpha U (D2 - alpha^2) v - alpha U'' v
        + i / Re (D4 - 2 alpha^2 D2 + alpha^4) v,  v ~ e^{i(alpha x - omega t)}

    Growth rate Im omega. Orszag, J. Fluid Mech. 50 (1971), eq. 2; he has omega = 0.23752649 +
    0.00373967i at alpha = 1, Re = 10000.
    """
    wall = Wall(Axis.chebyshev(num), torch.device("cpu"))
    y = wall.axis.nodes[1:-1]
    eye = torch.eye(num - 2, dtype=torch.float64)
    laplace = (wall.dirichlet - alpha**2 * eye).to(torch.complex128)
    twice = (wall.clamped - 2 * alpha**2 * wall.dirichlet + alpha**4 * eye).to(torch.complex128)
    shear = (1 - y.square())[:, None] * laplace + 2 * eye
    values, vectors = torch.linalg.eig(
        torch.linalg.solve(laplace, alpha * shear + 1j / reynolds * twice)
    )
    first = int(values.imag.argmax())
    mode = torch.zeros(num, dtype=torch.complex128)
    mode[1:-1] = vectors[:, first]
    return complex(values[first]), mode / mode.abs().max()
