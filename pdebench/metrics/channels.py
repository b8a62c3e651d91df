"""Which channels of a field are its velocity or its vorticity."""

from torch import Tensor

from pdebench.errors import AccessError, Unsupported
from pdebench.problem import Problem

VELOCITIES = (
    ("u", "v", "w"),
    ("vx", "vy", "vz"),
    ("velocity_x", "velocity_y", "velocity_z"),
    ("velocity_0", "velocity_1", "velocity_2"),
)
VORTICITIES = (("vorticity",), ("omega",), ("vorticity_x", "vorticity_y", "vorticity_z"))


def velocity(field: Tensor, problem: Problem) -> Tensor:
    """Return the velocity (B, T, d, *S) of a field (B, T, C, *S).

    By the names of the equation's fields, else all channels where there are d of them. Raises
    Unsupported where neither tells.
    """
    dim = problem.domain.dim
    for names in VELOCITIES:
        found = _named(field, problem, names[:dim])
        if found is not None:
            return found
    if field.shape[2] == dim and _named(field, problem, ("vorticity",)) is None and dim > 1:
        return field
    raise Unsupported(
        f"no velocity among {_names(problem) or field.shape[2]} channel(s) in {dim} dimensions; "
        f"name the fields {', '.join(VELOCITIES[0][:dim])}"
    )


def vorticity(field: Tensor, problem: Problem) -> Tensor | None:
    """Return the vorticity channels (B, T, 1 or 3, *S) by name, or None."""
    for names in VORTICITIES:
        found = _named(field, problem, names)
        if found is not None:
            return found
    return None


def _names(problem: Problem) -> tuple[str, ...]:
    try:
        return tuple(name.lower() for name in problem.equation.fields)
    except AccessError:
        return ()


def _named(field: Tensor, problem: Problem, wanted: tuple[str, ...]) -> Tensor | None:
    names = _names(problem)
    if len(names) != field.shape[2] or not set(wanted) <= set(names):
        return None
    positions = [names.index(name) for name in wanted]
    first = positions[0]
    if positions == list(range(first, first + len(wanted))):
        return field[:, :, first : first + len(wanted)]
    return field[:, :, positions]
