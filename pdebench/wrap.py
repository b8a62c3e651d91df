"""Whatever maps fields to fields as a solver: a function, or a plain ``torch.nn.Module``."""

import inspect
from collections.abc import Callable
from typing import Any, ClassVar, final

import numpy as np
import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError, SolverError
from pdebench.learning import Form, LearnedSolver, OneShot, Rollout, Sizes, Training
from pdebench.problem import Problem, Solution
from pdebench.solver import Solver, Use


@final
class Network(LearnedSolver):
    """A plain network class as a learned operator.

    Its constructor takes whatever it likes; arguments named ``in_channels`` and ``out_channels``
    are filled in where they are not given. The network maps (B, C_in, *S) to (B, C_out, *S).

    Args:
        network: the class, or any callable that returns a ``torch.nn.Module``.
        form: how the network answers; None: frame by frame where the task has frames, else at once.
        training: optimiser, schedule, loss, scaling, batch size.
        arguments: for ``network``.
    """

    def __init__(
        self,
        network: Callable[..., nn.Module],
        form: Form | None = None,
        training: Training | None = None,
        **arguments: Any,
    ) -> None:
        super().__init__(form, training)
        self._make, self._arguments, self._choose = network, arguments, form is None

    def supports(self, task: Any) -> str | None:
        if self._choose:
            steady = task.samples("train").problem.times is None
            self.form = OneShot() if steady else Rollout(unroll=1)
        return super().supports(task)

    def network(self, sizes: Sizes) -> nn.Module:
        accepted = inspect.signature(self._make).parameters
        filled = {"in_channels": sizes.in_channels, "out_channels": sizes.out_channels}
        given = {k: v for k, v in filled.items() if k in accepted} | self._arguments
        try:
            made = self._make(**given)
        except TypeError as error:
            raise ConfigError(f"solver: {error}; give it as +solver.NAME=value") from error
        if not isinstance(made, nn.Module):
            raise ConfigError(f"solver made a {type(made).__name__}, expected a torch.nn.Module")
        return made


@final
class Function(Solver):
    """A function of the problem as a solver that has nothing to fit.

        u = function(problem)

    It returns a tensor or array (B, [T,] C, *S), or a `Solution`; it may be numpy, JAX or a
    subprocess inside.

    Args:
        function: called with the `Problem`.
        equation: whether it reads ``problem.equation``; boards show it.
    """

    uses: ClassVar[frozenset[Use]] = frozenset()

    def __init__(self, function: Callable[[Problem], Any], equation: bool = False) -> None:
        self._function = function
        if equation:
            self.uses = frozenset({"equation"})  # type: ignore[misc]  # of this instance

    def solve(self, problem: Problem) -> Solution:
        answer = self._function(problem)
        if isinstance(answer, Solution):
            return answer
        like = next(iter(problem.inputs.values()))
        if not isinstance(answer, Tensor):
            try:
                answer = torch.from_numpy(np.array(answer))
            except (TypeError, ValueError) as error:
                raise SolverError(
                    f"the function returned {type(answer).__name__}, expected a tensor, an array "
                    "or a Solution"
                ) from error
        return Solution(answer.to(like.device))


def as_solver(given: Any) -> Solver:
    """Return ``given`` where it is a solver, else wrapped: a module class as `Network`, any other
    callable as `Function`. Raises ConfigError for the rest.
    """
    if isinstance(given, Solver):
        return given
    if inspect.isclass(given) and issubclass(given, Solver):
        return given()
    if inspect.isclass(given) and issubclass(given, nn.Module):
        return Network(given)
    if isinstance(given, nn.Module):
        raise ConfigError(
            "a network that is already made has no seed; give its class, or "
            "pdebench.wrap.Network(lambda: ...)"
        )
    if callable(given):
        return Function(given)
    raise ConfigError(f"{type(given).__name__} is no solver, network class or function")
