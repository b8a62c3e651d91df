"""Contrast of the page's colours by WCAG 2.2, computed from the style sheet itself."""

import re
from importlib.resources import files

import pytest

CSS = files("pdebench.leaderboard").joinpath("base.css").read_text(encoding="utf-8")
PAIRS = dict(
    (name, (light, dark))
    for name, light, dark in re.findall(r"--([\w-]+): light-dark\((#\w+), (#\w+)\)", CSS)
)
SURFACES = ("paper", "raised", "sunk")
TEXT = [(ink, on) for ink in ("ink", "muted", "accent") for on in SURFACES]
TEXT += [("accent", "accent-soft"), ("warn", "warn-soft"), ("paper", "ink")]  # badges, tooltips
TEXT += [(f"s{k}", "raised") for k in range(8)]  # names in plots
SHAPES = [("line-strong", on) for on in SURFACES]  # outlines of buttons and fields


def luminance(colour: str) -> float:
    """Relative luminance of #rrggbb, WCAG 2.2."""
    channels = [int(colour[k : k + 2], 16) / 255 for k in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_formula_agrees_with_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)  # known to fail AA


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
@pytest.mark.parametrize(("pairs", "least"), [(TEXT, 4.5), (SHAPES, 3.0)], ids=["text", "shapes"])
def test_contrast_is_aa(pairs: list[tuple[str, str]], least: float, scheme: int) -> None:
    found = {(a, b): contrast(PAIRS[a][scheme], PAIRS[b][scheme]) for a, b in pairs}
    assert {pair: c for pair, c in found.items() if c < least} == {}
