"""Base of every learned operator: a family says how its network is built, everything else is
shared.
"""

import importlib
from abc import abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, final

import torch
from torch import Tensor, nn

from pdebench.atomic import atomic_path
from pdebench.errors import ConfigError, DataError, SolverError
from pdebench.learning.forms import Form, OneShot, Sizes
from pdebench.learning.scaling import Affine
from pdebench.learning.training import Training
from pdebench.problem import Problem, Solution
from pdebench.samples import Samples
from pdebench.solver import Budget, Solver, Use

if TYPE_CHECKING:
    from pdebench.task import Task

_WEIGHTS = "weights.safetensors"


class Scaled(nn.Module):
    """A network between its scalings: y = decode(network(encode(x))).

    Scaled in the precision of the data, computed in that of the weights.
    """

    def __init__(self, network: nn.Module, inputs: Affine | None, outputs: Affine | None) -> None:
        super().__init__()
        self.network, self.inputs, self.outputs = network, inputs, outputs
        # Where a weight is, once: the walk to it costs a percent of a small rollout's step.
        self._weight: tuple[Any, str] | None = next(
            (
                (owner._parameters, name)
                for owner in network.modules()
                for name, p in owner.named_parameters(recurse=False)
                if p.is_floating_point()
            ),
            None,
        )
        self.register_state_dict_post_hook(_only_tensors)

    def forward(self, x: Tensor) -> Tensor:
        x = x if self.inputs is None else self.inputs.encode(x)
        if self._weight is not None:
            owned, name = self._weight
            x = x.to(owned[name].dtype)
        y = self.network(x)
        return y if self.outputs is None else self.outputs.decode(y)


def _only_tensors(
    module: nn.Module, state: dict[str, Any], prefix: str, metadata: dict[str, Any]
) -> None:
    """Leave out what some libraries add, such as the arguments of a constructor."""
    for key in [key for key, value in state.items() if not isinstance(value, Tensor)]:
        del state[key]


class LearnedSolver(Solver):
    """A solver whose ``fit`` trains a network and whose ``solve`` applies it.

    A family implements ``network``; it may override ``loss`` (by default ``training.loss`` of the
    prediction).

    Args:
        form: how the network answers a problem (one pass, rollout, space-time).
        training: optimiser, schedule, loss, scaling, batch size.
    """

    uses: ClassVar[frozenset[Use]] = frozenset({"labels"})

    def __init__(self, form: Form | None = None, training: Training | None = None) -> None:
        # Seconds of import that fit's clock must not see.
        importlib.import_module("pdebench.learning.fit")
        self.form: Form = form or OneShot()
        self.training = training or Training()
        self.model: Scaled | None = None
        self.curve: list[dict[str, float]] = []
        self._sizes: Sizes | None = None

    @abstractmethod
    def network(self, sizes: Sizes) -> nn.Module:
        """Return a new network x (B, C_in, *S) -> y (B, C_out, *S) of the given sizes."""

    def loss(
        self, model: nn.Module, problem: Problem, target: Tensor | None, weights: Tensor
    ) -> Tensor:
        """Return the training loss of one batch.

        ``target`` is None for a solver without "labels"; ``weights`` (*S,) are the quadrature
        weights on the device.
        """
        if target is None:
            raise SolverError(
                f"{type(self).__name__} does not use labels; override loss() by one without them"
            )
        return self.training.loss(self.form.predict(model, problem), target, weights)

    def training_samples(self, train: Samples) -> Samples:
        """Return what the batches of the fit are read from; called once, after `build`.

        A solver that needs its labels in another form, transformed say, gives samples that hold
        them; its `loss` then gets these targets while training and fields while validating.
        """
        return train

    def groups(self, model: nn.Module) -> list[Any]:
        """Return what the optimiser gets: trained parameters, or groups with rates of their own."""
        return [p for p in model.parameters() if p.requires_grad]

    def supports(self, task: "Task") -> str | None:
        """Return why the form of the answer does not fit the task, or None; families add theirs."""
        try:
            self.form.sizes(task.samples("train"))
        except ConfigError as error:
            return str(error)
        return None

    @property
    def num_parameters(self) -> int:
        if self.model is None:
            return 0
        return sum(
            p.numel() * (2 if p.is_complex() else 1)
            for p in self.model.parameters()
            if p.requires_grad
        )

    def build(self, samples: Samples) -> Scaled:
        """Return the untrained model for these samples; its scalings are fitted on them."""
        self._sizes = self.form.sizes(samples)
        network = self.network(self._sizes)
        target = samples.target if "labels" in self.uses else None
        inputs, outputs = self.form.fields(samples.problem, target)
        scaling = self.training.scaling
        return Scaled(
            network, scaling.fit(inputs), None if outputs is None else scaling.fit(outputs)
        )

    @final
    def fit(self, train: Samples, valid: Samples, budget: Budget) -> None:
        """Train on ``train``, keep the weights that are best on ``valid``, spend at most
        ``budget``.
        """
        from pdebench.learning.fit import run_fit

        if budget == Budget():
            raise ConfigError(
                "budget has neither epochs, steps nor seconds; "
                "set one, such as track.budget.epochs=20"
            )
        self.model = self.build(train)
        self.curve = run_fit(self, self.model, self.training_samples(train), valid, budget)
        self.model.eval()

    @final
    def prepare(self, problem: Problem) -> None:
        """Move the network to the problem's device."""
        self._fitted().to(next(iter(problem.inputs.values())).device).eval()

    @final
    def solve(self, problem: Problem) -> Solution:
        """Answer (B, [T,] C, *S) with the network."""
        return Solution(self.answer(problem))

    @final
    def stream(self, problem: Problem, block: int) -> Iterator[Solution]:
        """Yield the answer as the form makes it: a rollout holds no more than a block."""
        if type(self).answer is not LearnedSolver.answer:  # it adapts to instances: all at once
            yield self.solve(problem)
            return
        blocks = iter(self.form.stream(self._fitted(), problem, block))
        while True:
            with torch.inference_mode():  # entered anew: a mode must not leak from a generator
                u = next(blocks, None)
            if u is None:
                return
            yield Solution(u)

    def answer(self, problem: Problem) -> Tensor:
        """Apply the network without gradients; a family that adapts to instances overrides it."""
        with torch.inference_mode():
            return self.form.predict(self._fitted(), problem)

    def _fitted(self) -> Scaled:
        if self.model is None:
            raise SolverError(
                f"{type(self).__name__} was asked to solve before fit or load; call one of them "
                "first"
            )
        return self.model

    def save(self, path: Path) -> None:
        from safetensors.torch import save_file

        path.mkdir(parents=True, exist_ok=True)
        state = {key: value.contiguous() for key, value in self._fitted().state_dict().items()}
        sizes = self._sizes
        described = (
            {}
            if sizes is None
            else {
                "in_channels": str(sizes.in_channels),
                "out_channels": str(sizes.out_channels),
                "shape": ",".join(map(str, sizes.shape)),
                "periodic": ",".join("1" if p else "0" for p in sizes.periodic),
            }
        )
        with atomic_path(path / _WEIGHTS) as partial:
            save_file(state, partial, metadata=described)

    def load(self, path: Path) -> None:
        from safetensors import safe_open

        file = path / _WEIGHTS
        if not file.is_file():
            raise DataError(f"'{file}' does not exist, expected the weights that save() wrote")
        with safe_open(file, framework="pt") as stored:
            described = stored.metadata() or {}
            names = stored.keys()
            state = {name: stored.get_tensor(name) for name in names}
        self._sizes = Sizes(
            int(described["in_channels"]),
            int(described["out_channels"]),
            tuple(int(n) for n in described["shape"].split(",")),
            tuple(flag == "1" for flag in described["periodic"].split(",")),
        )
        model = Scaled(
            self.network(self._sizes), _affine(state, "inputs"), _affine(state, "outputs")
        )
        model.load_state_dict(state)
        self.model = model.eval()


def _affine(state: dict[str, Tensor], name: str) -> Affine | None:
    mean, std = state.get(f"{name}.mean"), state.get(f"{name}.std")
    return None if mean is None or std is None else Affine(mean.clone(), std.clone())
