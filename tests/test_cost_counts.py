"""Memory, operations and energy against counts by hand."""

import operator
import os
from pathlib import Path

import pytest
import torch

from pdebench import cost

CPU = torch.device("cpu")
MIB = 1 << 20


def touch(num_bytes: int) -> None:
    """Hold and write that many bytes."""
    held = bytearray(num_bytes)
    held[::4096] = b"x" * len(range(0, num_bytes, 4096))


def test_peak_of_a_child_grows_by_what_it_touches():
    small, _ = cost.peak_in_child(operator.mul, b"x", 1)
    large, seconds = cost.peak_in_child(operator.mul, b"x", 64 * MIB)
    assert small is not None and large is not None and seconds > 0
    # one block of 64 MiB; pages of the allocator and of the interpreter: a few hundred kB
    assert small < 4 * MIB and 64 * MIB <= large + MIB <= 70 * MIB


def test_a_child_that_fails_says_why():
    with pytest.raises(RuntimeError, match="ValueError: invalid literal"):
        cost.peak_in_child(int, "x")
    with pytest.raises(RuntimeError, match="exit code 3"):
        cost.peak_in_child(os._exit, 3)


def test_peak_memory_sees_a_block_that_is_gone_at_its_end():
    with cost.peak_memory(CPU) as peak:
        touch(64 * MIB)
    assert peak.bytes is None or peak.bytes >= 60 * MIB  # freed pages may be used again


def test_matrix_products_count_two_per_multiply_and_add():
    a, b = torch.ones(3, 5), torch.ones(5, 7)
    counted, result = cost.count_flops(lambda: a @ b)
    assert counted.total == 2 * 3 * 5 * 7 and result.shape == (3, 7)
    counted, _ = cost.count_flops(lambda: a.cfloat() @ b.cfloat())
    assert counted.total == 8 * 3 * 5 * 7
    counted, _ = cost.count_flops(lambda: torch.einsum("bik,bkj->bij", a[None], b[None]))
    assert counted.total == 2 * 3 * 5 * 7
    counted, _ = cost.count_flops(lambda: torch.nn.functional.linear(a, b.T, torch.ones(7)))
    assert counted.total == 2 * 3 * 5 * 7


def test_transforms_count_five_n_log_n():
    z = torch.ones(2, 16, 8, dtype=torch.complex64)
    assert cost.count_flops(lambda: torch.fft.fft(z))[0].total == 5 * 256 * 3
    assert cost.count_flops(lambda: torch.fft.fft2(z))[0].total == 5 * 256 * 7
    x = torch.ones(2, 16, 8)
    assert cost.count_flops(lambda: torch.fft.rfft(x))[0].total == 2.5 * 256 * 3
    assert cost.count_flops(lambda: torch.fft.rfft2(x))[0].total == 2.5 * 256 * 7
    back = torch.fft.rfft2(x)
    assert cost.count_flops(lambda: torch.fft.irfft2(back, s=(16, 8)))[0].total == 2.5 * 256 * 7
    assert cost.fft_flops((4, 1), (1,), real=False) == 0


def test_a_spectral_layer_is_the_sum_of_its_parts():
    """Transform, complex product of modes, transform back: counted by hand."""
    x = torch.ones(2, 3, 32)
    w = torch.ones(3, 4, 17, dtype=torch.complex64)

    def layer() -> torch.Tensor:
        return torch.fft.irfft(torch.einsum("bik,iok->bok", torch.fft.rfft(x), w), n=32)

    counted, _ = cost.count_flops(layer)
    assert counted.total == 2.5 * 6 * 32 * 5 + 8 * 2 * 3 * 4 * 17 + 2.5 * 8 * 32 * 5
    assert sum(counted.by_call.values()) == counted.total


def test_backward_passes_are_counted():
    a = torch.ones(3, 5, requires_grad=True)
    b = torch.ones(5, 7, requires_grad=True)
    counted, _ = cost.count_flops(lambda: (a @ b).sum().backward())
    assert counted.total == 3 * 2 * 3 * 5 * 7


def rapl(folder: Path, micro: int, span: int = 1000) -> None:
    zone = folder / "intel-rapl:0"
    zone.mkdir(exist_ok=True)
    (zone / "energy_uj").write_text(f"{micro}\n")
    (zone / "max_energy_range_uj").write_text(f"{span}\n")
    (folder / "intel-rapl:0:0").mkdir(exist_ok=True)  # a part of the package: not added


@pytest.mark.parametrize(("before", "after", "joules"), [(100, 350, 250e-6), (900, 50, 150e-6)])
def test_energy_is_the_counters_difference_also_across_a_wrap(
    tmp_path: Path, before: int, after: int, joules: float
):
    rapl(tmp_path, before)
    with cost.measured_energy(CPU, tmp_path) as energy:
        rapl(tmp_path, after)
    assert energy.joules == pytest.approx(joules) and energy.reason is None


def test_energy_without_a_counter_is_not_applicable(tmp_path: Path):
    with cost.measured_energy(CPU, tmp_path) as energy:
        pass
    assert energy.joules is None and "not applicable" in str(energy.reason)
