"""What plugin authors test with: the conformance kit (`check_solver`) and the golden-vector checks
(`golden`).
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pdebench.testing.conformance import check_solver

__all__ = ["check_solver"]


def __getattr__(name: str) -> Any:
    # Loaded when used: golden-vector tests need neither Hydra nor the harness.
    if name == "check_solver":
        from pdebench.testing.conformance import check_solver

        return check_solver
    raise AttributeError(f"module 'pdebench.testing' has no attribute {name!r}")
