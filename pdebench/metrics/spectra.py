"""Spectra of periodic fields and their errors."""

from torch import Tensor

from pdebench.domain import Domain
from pdebench.metric import metric
from pdebench.metrics.fields import paired, ratio
from pdebench.metrics.shells import shell_sums
from pdebench.problem import Problem, Solution


def energy_spectrum(u: Tensor, domain: Domain) -> Tensor:
    """Shell-summed energy spectrum of fields (B, T, C, *S) on a torus, (B, T, K) float64.

        E(k) = 1/2 sum_c sum_{k - 1/2 <= |q|/k0 < k + 1/2} |u_c_hat(q)|^2,    u_hat = fft(u)/N,  k0
        = 2 pi / max(L)

    k = 0 is the mean. Summed over all modes it is sum_c <u_c^2>/2, in the squared unit of the
    field. Shells beyond the Nyquist radius are incomplete and dropped. Raises Unsupported on
    anything but a periodic uniform grid.
    """
    return shell_sums(domain, u).sum(2) / 2


@metric("pdebench.spectrum_error@1", needs=("target", "torus"))
def spectrum_error(solution: Solution, target: Tensor, problem: Problem) -> Tensor:
    """Relative error of the energy spectrum of each frame, (B, T).

        ( sum_{k >= 1} (E_p(k) - E_y(k))^2 / sum_{k >= 1} E_y(k)^2 )^{1/2}

    Blind to phases: it asks whether the scales carry the right energy, not whether they are in the
    right place. The mean (k = 0) is left out: it is no scale, and it would hide all others where it
    is large.
    """
    prediction, reference = paired(solution, target, problem)
    got = energy_spectrum(prediction, problem.domain)[..., 1:]
    expected = energy_spectrum(reference, problem.domain)[..., 1:]
    return ratio((got - expected).square().sum(-1), expected.square().sum(-1)).sqrt()
