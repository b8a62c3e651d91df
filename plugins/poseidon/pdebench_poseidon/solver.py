"""Poseidon as a solver of the suite: trained from scratch or fine-tuned from a checkpoint."""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, final

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from pdebench.errors import ConfigError, SolverError
from pdebench.learning import Form, LearnedSolver, Sizes, Training
from pdebench.learning.solver import Scaled
from pdebench.problem import Problem
from pdebench.samples import Samples
from pdebench.solver import Pretraining
from pdebench_poseidon.finetune import Rates, origin_of, parameter_groups, start_from
from pdebench_poseidon.lead_time import LeadTime
from pdebench_poseidon.network import ScOT

if TYPE_CHECKING:
    from pdebench.task import Task


@final
class Poseidon(LearnedSolver):
    """The scalable operator transformer, trained on all ordered pairs of frames.

    The loss is taken between scaled fields, as published.

    Args:
        architecture: takes ``in_channels``, ``out_channels`` and ``image_size`` and returns
            ``pdebench_poseidon.network.ScOT``, with ``_partial_: true``.
        image_size: points per side that the network works on; None for the task's grid.
        checkpoint: folder, or owner/name in the user's hub cache, that training starts from; None
            for a random start. The architecture must be the checkpoint's.
        rates: learning rates of the parts; None for the optimiser's own rate everywhere.
        form: how the network answers a problem.
        training: optimiser, schedule, loss, scaling, batch size.
    """

    def __init__(
        self,
        architecture: Callable[..., ScOT],
        image_size: int | None = None,
        checkpoint: str | None = None,
        rates: Rates | None = None,
        form: Form | None = None,
        training: Training | None = None,
    ) -> None:
        super().__init__(form or LeadTime(), training)
        self._architecture, self._image_size = architecture, image_size
        self._checkpoint, self._rates = checkpoint, rates
        self.fresh: tuple[str, ...] = ()
        self._before: Pretraining | None = None
        if rates is not None:
            self.training = replace(self.training, optimizer=self._grouped(self.training, rates))

    def _grouped(self, training: Training, rates: Rates) -> Callable[[Any], Optimizer]:
        """The configured optimiser over groups of parameters with their own rates."""

        def optimizer(parameters: list[nn.Parameter]) -> Optimizer:
            groups = parameter_groups(self._fitted(), rates)
            held = sum(len(group["params"]) for group in groups)
            if held != len(parameters):
                raise SolverError(f"{held} parameters in groups, {len(parameters)} to train")
            return training.optimizer(groups)

        return optimizer

    @property
    def pretraining(self) -> Pretraining | None:
        return self._before

    def network(self, sizes: Sizes) -> nn.Module:
        return self._architecture(
            in_channels=sizes.in_channels,
            out_channels=sizes.out_channels,
            image_size=self._image_size or sizes.shape[0],
        )

    def build(self, samples: Samples) -> Scaled:
        model = super().build(samples)
        if self._checkpoint is not None:
            if not isinstance(model.network, ScOT):
                raise ConfigError("solver.checkpoint needs solver.architecture to be a ScOT")
            self.fresh = start_from(model.network, self._checkpoint)
            self._before = origin_of(self._checkpoint)
        return model

    def loss(
        self, model: nn.Module, problem: Problem, target: Tensor | None, weights: Tensor
    ) -> Tensor:
        if target is None or not isinstance(model, Scaled):
            return super().loss(model, problem, target, weights)
        answer = self.form.predict(model, problem)
        if model.outputs is not None:
            answer, target = model.outputs.encode(answer), model.outputs.encode(target)
        return self.training.loss(answer, target, weights)

    def supports(self, task: "Task") -> str | None:
        unfit = super().supports(task)
        if unfit is not None:
            return unfit
        samples = task.samples("train")
        domain = samples.problem.domain
        if getattr(domain, "axes", None) is None:
            return "it cuts square images into patches, the task lives on a mesh or point cloud"
        if domain.dim != 2 or len(set(domain.shape)) != 1:
            return f"it takes square images, the task's grid has the shape {domain.shape}"
        try:
            with torch.device("meta"):
                network = self.network(self.form.sizes(samples))
        except ConfigError as error:
            return str(error)
        return self._unfit_form(network, forecast=samples.problem.times is not None)

    def _unfit_form(self, network: nn.Module, forecast: bool) -> str | None:
        """Return why form and conditioning do not go together, or None."""
        leads = isinstance(self.form, LeadTime)
        conditioned = isinstance(network, ScOT) and network.plan.conditioning
        if conditioned and not leads:
            return (
                "its norms follow the lead time; take solver.form "
                "pdebench_poseidon.lead_time.LeadTime or set "
                "solver.architecture.conditioning=false"
            )
        if forecast and leads and not conditioned:
            return "the task asks for frames, set solver.architecture.conditioning=true"
        return None
