"""Energy of a piece of work: NVML's counter on a GPU, RAPL's on the CPU; else not applicable.

RAPL (Intel SDM vol. 3B, ch. 15.10) counts whole packages, so the figure includes whatever else
runs there; counters wrap at ``max_energy_range_uj`` and a block longer than one wrap is wrong.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

import torch

RAPL = Path("/sys/class/powercap")


@final
class Energy:
    """Energy of a block: ``joules``, or None with the ``reason`` why it is not applicable."""

    def __init__(self) -> None:
        self.joules: float | None = None
        self.reason: str | None = None


@contextmanager
def measured_energy(device: torch.device, powercap: Path = RAPL) -> Iterator[Energy]:
    """Measure the energy of the block, J, where the machine tells it."""
    energy = Energy()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
        before, energy.reason = _nvml(device)
        yield energy
        torch.cuda.synchronize(device)
        after, reason = _nvml(device)
        energy.reason = energy.reason or reason
        if before is not None and after is not None:
            energy.joules = after - before
        return
    first = _packages(powercap)
    yield energy
    last = _packages(powercap)
    if first and first.keys() == last.keys():
        energy.joules = sum(_spent(first[k][0], *last[k]) for k in first) / 1e6
    else:
        energy.reason = f"not applicable: no readable RAPL counter below '{powercap}'"


def _spent(before: int, after: int, span: int) -> int:
    return after - before if after >= before else after - before + span


def _packages(powercap: Path) -> dict[str, tuple[int, int]]:
    """Return (microjoules, range) of every package; nothing where one cannot be read."""
    found: dict[str, tuple[int, int]] = {}
    for zone in sorted(powercap.glob("intel-rapl:*")):
        if zone.name.count(":") != 1:
            continue  # a part of a package, already in its sum
        try:
            numbers = [int((zone / n).read_text()) for n in ("energy_uj", "max_energy_range_uj")]
        except (OSError, ValueError):
            return {}
        found[zone.name] = (numbers[0], numbers[1])
    return found


def _nvml(device: torch.device) -> tuple[float | None, str | None]:
    from pdebench.cost.machine import nvml_handle

    try:
        library, handle = nvml_handle(device)
        return library.nvmlDeviceGetTotalEnergyConsumption(handle) / 1e3, None  # mJ
    except Exception as error:  # whatever the driver's binding raises: there is no counter
        return None, f"not applicable: NVML gives no energy ({error})"
