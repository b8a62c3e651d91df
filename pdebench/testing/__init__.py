"""What plugin authors test with: the conformance kit (`check_solver`, `check_dataset`,
`check_metric`) and the golden-vector checks (`golden`).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pdebench.testing.conformance import check_dataset, check_metric, check_solver

__all__ = ["check_dataset", "check_metric", "check_solver"]


def __getattr__(name: str) -> Any:
    # Loaded when used: golden-vector tests need neither Hydra nor the harness.
    if name in __all__:
        from pdebench.testing import conformance

        return getattr(conformance, name)
    raise AttributeError(f"module 'pdebench.testing' has no attribute {name!r}")
