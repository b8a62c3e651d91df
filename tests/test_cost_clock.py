"""The clock against clocks and work whose answers are known."""

import math
import time
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from pdebench import cost
from pdebench.cost import machine
from pdebench.cost.cache import Flush, cache_bytes

CPU = torch.device("cpu")
GPU = torch.device("cuda")
needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")


class Simulated:
    """Work that advances a clock of its own by given seconds."""

    def __init__(self, durations: Iterator[float]) -> None:
        self.durations, self.now, self.calls = durations, 0, 0

    def run(self) -> int:
        self.now += round(next(self.durations) * 1e9)
        self.calls += 1
        return self.calls

    def read(self) -> int:
        return self.now


def noisy(seed: int, jitter: float = 0.1) -> Iterator[float]:
    """5 ms, log-normal, one call in 20 interrupted for up to its own time; median 5 ms exp(...)."""
    random = np.random.default_rng(seed)
    while True:
        hit = random.random() < 0.05
        yield 5e-3 * math.exp(jitter * random.standard_normal()) * (1 + hit * random.random())


def constant(seconds: float) -> Iterator[float]:
    while True:
        yield seconds


def test_once_returns_seconds_and_result():
    simulated = Simulated(iter([0.25]))
    assert cost.once(simulated.run, CPU, clock=simulated.read) == (0.25, 1)


def test_a_clock_that_runs_backwards_is_refused():
    simulated = Simulated(iter([-1e-3]))
    with pytest.raises(RuntimeError, match="backwards by 1000000 ns"):
        cost.once(simulated.run, CPU, clock=simulated.read)


def test_real_time_is_no_shorter_than_the_work():
    def busy() -> None:
        until = time.perf_counter_ns() + 2_000_000
        while time.perf_counter_ns() < until:
            pass

    timing = cost.repeat(busy, CPU, seconds=0.1)
    assert min(timing.samples) >= 2e-3 and timing.first >= 2e-3


def test_first_call_and_warm_up_stay_apart():
    compiling = [1.9, 0.03, 0.02, 0.015, 0.012, 0.011]

    def durations() -> Iterator[float]:
        yield from compiling
        yield from constant(0.01)

    simulated = Simulated(durations())
    timing = cost.repeat(simulated.run, CPU, clock=simulated.read)
    assert timing.first == 1.9 and timing.warmups >= 6
    assert set(timing.samples) == {0.01}


def test_quiet_work_stops_early_and_noisy_work_says_so():
    quiet = Simulated(constant(1e-3))
    timing = cost.repeat(quiet.run, CPU, clock=quiet.read)
    assert len(timing.samples) == 12 and not timing.noisy
    assert timing.interval() == (1e-3, 1e-3)  # no spread is an interval, too
    loud = Simulated(noisy(0, jitter=0.5))
    timing = cost.repeat(loud.run, CPU, precision=0.01, seconds=0.3, clock=loud.read)
    assert timing.noisy and timing.to_json()["noisy"]


def test_slow_work_runs_twice_only():
    slow = Simulated(constant(3.0))
    timing = cost.repeat(slow.run, CPU, seconds=2.0, clock=slow.read)
    assert slow.calls == 2 and timing.samples == (3.0,)
    assert timing.noisy  # one repeat states no interval
    assert timing.interval() == (3.0, 3.0)


@pytest.mark.parametrize(("num", "low", "high"), [(5, 0, 4), (6, 0, 5), (20, 5, 14), (100, 39, 60)])
def test_interval_takes_the_ranks_of_the_sign_test(num: int, low: int, high: int):
    """Ranks of the tables of the sign test, for values in an order without correlation."""
    values = np.random.default_rng(num).permutation(num).astype(float)
    if num >= 10:  # a white order, so that all count as independent
        values = min(
            (np.random.default_rng(s).permutation(num) for s in range(50)),
            key=lambda v: np.corrcoef(v[1:], v[:-1])[0, 1],
        ).astype(float)
    assert cost.Timing(tuple(values), 0.0).interval() == (low, high)


def test_drifting_repeats_widen_the_interval():
    values = np.random.default_rng(2).standard_normal(100)
    white = cost.Timing(tuple(values), 0.0).interval()
    drifting = cost.Timing(tuple(np.sort(values)), 0.0).interval()
    assert drifting[1] - drifting[0] > 1.5 * (white[1] - white[0])


def test_interval_covers_the_median_of_simulated_timings():
    expected = 5e-3 * math.exp(
        0.1 * 0.05995
    )  # root of 0.95 Phi(z) + 0.05 int_0^1 Phi(z - 10 log(1 + u)) du = 1/2
    held = 0
    for seed in range(150):
        simulated = Simulated(noisy(seed))
        timing = cost.repeat(simulated.run, CPU, precision=0.02, seconds=0.6, clock=simulated.read)
        low, high = timing.interval()
        held += low <= expected <= high
    # 95 % of 150 is 142.5 with a standard deviation of 2.7; 90 to 99 % is the claim
    assert 0.90 <= held / 150 <= 0.995


def test_compared_pieces_share_rounds_and_their_ratio_survives_drift():
    """The machine slows down threefold while both are timed: the ratio does not see it."""
    speed = [1.0]
    clock = [0]

    def work(seconds: float) -> None:
        clock[0] += round(seconds * speed[0] * 1e9)
        speed[0] *= 1.02

    timings = cost.compare(
        {"a": lambda: work(2e-3), "b": lambda: work(1e-3)}, CPU, clock=lambda: clock[0], most=40
    )
    assert len(timings["a"].samples) == len(timings["b"].samples)
    median, low, high = cost.ratio(timings["a"], timings["b"])
    # the order alternates, so that the ratio is 2 x 1.02^(+-1)
    assert low <= median <= high and median == pytest.approx(2, rel=0.03)
    with pytest.raises(ValueError, match="rounds"):
        cost.ratio(timings["a"], cost.Timing((1.0,), 1.0))


def test_flush_is_larger_than_the_cache_and_off_the_clock():
    assert cache_bytes(CPU) >= 1 << 15
    Flush(CPU)()
    simulated = Simulated(constant(1e-3))
    timing = cost.repeat(simulated.run, CPU, flush=True, most=5, clock=simulated.read)
    assert set(timing.samples) == {1e-3}


def test_sweep_ends_at_memory_at_slowness_or_at_the_largest():
    def runs_out(batch: int):
        if batch > 4:
            raise MemoryError("no more")
        return lambda: None

    result = cost.sweep(runs_out, CPU, seconds=0.01)
    assert [p.batch for p in result.points] == [1, 2, 4] and "batch 8" in result.stopped
    assert result.best.throughput >= 1 / result.latency
    result = cost.sweep(lambda batch: lambda: time.sleep(0.2 * (batch > 1)), CPU, seconds=0.1)
    assert [p.batch for p in result.points] == [1, 2] and "takes more" in result.stopped
    result = cost.sweep(lambda batch: lambda: None, CPU, most=2, seconds=0.01)
    assert [p.batch for p in result.points] == [1, 2] and "largest asked" in result.stopped
    with pytest.raises(MemoryError):
        cost.sweep(lambda batch: runs_out(8), CPU)


def test_transfer_is_nothing_on_the_cpu():
    assert cost.transfer([torch.zeros(10), torch.zeros(3, dtype=torch.float64)], CPU) == (None, 64)


def test_loading_counts_fetching_and_not_computing():
    def batches() -> Iterator[int]:
        for k in range(3):
            time.sleep(2e-3)
            yield k

    loading = cost.Loading(batches())
    began = time.perf_counter()
    for _ in loading:
        time.sleep(20e-3)
    spent = time.perf_counter() - began
    # a sleep is never shorter than asked: 3 x 20 ms of the whole were not loading
    assert loading.num_batches == 3 and 6e-3 <= loading.seconds <= spent - 60e-3


def test_conditions_name_threads_load_and_clocks():
    found = cost.conditions(CPU)
    assert found["threads"] == torch.get_num_threads()
    assert {"affinity", "load", "cpu_mhz", "interop_threads"} <= found.keys()


class Library:
    """NVML as its binding offers it, with clocks held back by heat."""

    nvmlClocksThrottleReasonGpuIdle = 0x1
    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0

    def __init__(self, reasons: int) -> None:
        self.reasons = reasons

    def nvmlDeviceGetCurrentClocksThrottleReasons(self, handle: object) -> int:
        return self.reasons

    def nvmlDeviceGetClockInfo(self, handle: object, which: int) -> int:
        return 1200

    def nvmlDeviceGetTemperature(self, handle: object, which: int) -> int:
        return 91


@pytest.mark.parametrize(("reasons", "said"), [(0x1, None), (0x21, "0x20"), (0x40, "0x40")])
def test_a_gpu_that_throttles_is_recorded(monkeypatch, reasons: int, said: str | None):
    """Idle clocks (bit 0) are no throttling; heat and power (bits 5 and 6) are."""
    monkeypatch.setattr(machine, "nvml_handle", lambda device: (Library(reasons), None))
    found = cost.conditions(GPU)
    assert found["gpu_throttled"] == said
    assert found["gpu_mhz"] == 1200 and found["gpu_celsius"] == 91


@pytest.mark.gpu
@needs_gpu
@pytest.mark.parametrize("side", [False, True])
def test_asynchronous_kernels_are_paid_for(side: bool):
    """A kernel that spins for a known number of cycles, launched without waiting, also on a stream
    of the work's own.
    """
    stream = torch.cuda.Stream() if side else torch.cuda.current_stream()

    def work(cycles: int) -> None:
        with torch.cuda.stream(stream):
            torch.cuda._sleep(cycles)

    short, long = (cost.repeat(lambda c=c: work(c), GPU).median for c in (10**7, 10**8))
    began = time.perf_counter()
    work(10**8)
    launched = time.perf_counter() - began
    torch.cuda.synchronize()
    assert launched < long / 5  # the launch itself returns at once
    assert long / short == pytest.approx(10, rel=0.1)  # boost clocks move by a few per cent


@pytest.mark.gpu
@needs_gpu
def test_timing_inside_a_graph_capture_is_refused_and_replay_is_timed():
    x = torch.ones(1 << 20, device=GPU)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        with pytest.raises(RuntimeError, match="time its replay"):
            cost.once(lambda: x.add_(1), GPU)
        x.mul_(2)
    assert cost.once(graph.replay, GPU)[0] > 0


def test_pieces_in_turns_leave_when_they_are_sure():
    """A quiet, a loud and a slow piece share one clock; each gets the calls it needs."""
    now = [0]
    random = np.random.default_rng(3)

    def spend(seconds: float) -> None:
        now[0] += round(seconds * 1e9)

    watched: list[float] = []
    timings = cost.in_turns(
        {
            "quiet": lambda: spend(1e-3),
            "loud": lambda: spend(1e-2 * math.exp(0.5 * random.standard_normal())),
            "slow": lambda: spend(3.0),
        },
        CPU,
        clock=lambda: now[0],
        watch=watched.append,
    )
    assert timings["quiet"].median == pytest.approx(1e-3) and not timings["quiet"].noisy
    assert len(timings["slow"].samples) == 1 and timings["slow"].noisy
    assert len(timings["loud"].samples) > len(timings["quiet"].samples)
    assert watched[-1] == 1.0


def test_turns_share_a_drift_of_the_machine():
    """The machine gets a tenth slower every 0.2 s: equal pieces come out equal."""
    now = [0]

    def work() -> None:
        now[0] += round(1e-2 * (1 + 0.5 * now[0] / 1e9) * 1e9)

    timings = cost.in_turns({"a": work, "b": work}, CPU, seconds=0.5, clock=lambda: now[0])
    assert timings["a"].median == pytest.approx(timings["b"].median, rel=0.1)
