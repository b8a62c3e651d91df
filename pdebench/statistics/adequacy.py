"""Sentences about what so few seeds or samples cannot say."""

FEW_SEEDS = 3  # below: a variance of one degree of freedom, its 95 % interval spans a factor 1000
FEW_SAMPLES = 10  # below: no resampling of 95 % intervals (Wilcoxon's p stays above 0.05 up to 5)
WIDE_SPREAD = 1.45  # deviation of ln(error); the 95 % interval holds its level to 1.3, not at 1.6


def cautions(
    num_seeds: int, num_samples: int, num_diverged: int = 0, log_spread: float = 0.0
) -> tuple[str, ...]:
    """Return what to warn a reader of; nothing where there is enough of everything."""
    found = []
    if num_seeds == 1:
        found.append("one seed: the interval is that of this fit, not of the method")
    elif num_seeds < FEW_SEEDS:
        found.append(f"{num_seeds} seeds say next to nothing about the spread between fits")
    if num_samples == 1:
        found.append("one sample: the interval holds for this sample only")
    elif num_samples < FEW_SAMPLES:
        found.append(f"{num_samples} samples are too few for an interval to hold its level")
    if num_samples >= FEW_SAMPLES and log_spread > WIDE_SPREAD:
        found.append(
            f"a few large errors make the mean (deviation of ln error {log_spread:.1f}): "
            "its interval is a little too narrow, see benchmarks/intervals.py"
        )
    if num_diverged:
        found.append(f"{num_diverged} score(s) are infinite: the mean has no interval")
    return tuple(found)
