"""What a record says about constants, and which of them labelled data gave."""

from collections.abc import Mapping, Set

from pdebench.solver import Use
from pdebench_lesnets.coefficient import ClosedForm, Coefficient


def disclosed(
    uses: Set[Use],
    misfit: bool,
    given: float | None,
    width: str,
    how: Coefficient | None,
    learned: float | None,
) -> Mapping[str, str]:
    """Return subject -> sentence for the record of a run.

    ``misfit``: whether targets enter the loss; ``given``: the configured coefficient; ``how`` and
    ``learned``: the coefficient from labelled trajectories.
    """
    said: dict[str, str] = {}
    if "labels" not in uses:
        said["initial fields"] = (
            "the training fields are filtered simulations, so labelled data gave their distribution"
        )
    if "equation" not in uses:
        return said
    said["viscosity"] = "the problem's"
    if how is not None:
        way = "in closed form" if isinstance(how, ClosedForm) else "by descent along the training"
        value = "not fitted yet" if learned is None else f"C = {learned:.5g}"
        sign = "; negative: it feeds energy" if learned is not None and learned < 0 else ""
        said["coefficient"] = (
            f"{value}, tuned on labelled data: least residual over {how.trajectories} trajectory "
            f"of the training split, {way}{sign}"
        )
        said["filter width"] = f"{width}, given, not tuned"
    elif given is not None:
        said["coefficient"] = f"C = {given:g}, given, not tuned on this data"
        said["filter width"] = f"{width}, given, not tuned"
    if misfit:
        said["targets"] = "enter the loss"
    return said
