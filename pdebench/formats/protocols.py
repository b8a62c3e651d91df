"""Published splits, with a validation part that never touches the test samples."""

Splits = dict[str, tuple[int, int]]
_FEWEST = 3  # samples that can be split; fewer are only tested on


def test_first(num: int, share: float = 0.1) -> Splits:
    """PDEBench: the first tenth is the test split; the last tenth of the rest validates."""
    if num < _FEWEST:
        return {"test": (0, num)}
    tested = max(1, int(num * share))
    held = max(1, (num - tested) // 10)
    return {"train": (tested, num - held), "valid": (num - held, num), "test": (0, tested)}


def test_last(num: int, train: int, test: int) -> Splits:
    """FNO, Geo-FNO: the first ``train`` samples and the last ``test``.

    Samples in between validate, at most ``test`` of them just before the test split; where there
    are none, the last tenth of the training samples does. Smaller files keep the proportions.
    """
    if num < _FEWEST:
        return {"test": (0, num)}
    if num < train + test:
        test = max(1, num * test // (train + test))
        train = num - test
    between = min(test, num - test - train)
    if between:
        valid = (num - test - between, num - test)
    else:
        held = max(1, train // 10)
        train, valid = train - held, (train - held, train)
    return {"train": (0, train), "valid": valid, "test": (num - test, num)}


def before_last(num: int, valid: int, test: int) -> Splits:
    """Poseidon: the last ``test`` samples, ``valid`` just before them, all others train.

    Smaller files: at most a fifth is tested and a tenth validates.
    """
    if num < _FEWEST:
        return {"test": (0, num)}
    test, valid = min(test, max(1, num // 5)), min(valid, max(1, num // 10))
    start = num - test - valid
    return {"train": (0, start), "valid": (start, num - test), "test": (num - test, num)}
