"""The released training of IFactFormer: pairs of frames, statistics, optimiser and loss."""

from collections.abc import Mapping
from typing import Any, final

import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pdebench.errors import ConfigError


@final
class Protocol:
    """Training as released, with a given order of the pairs.

    Pairs (frame j .. j + T_in - 1 -> frame j + T_in) run by run, ``frames - T_in - 1`` of each: the
    last pair of every run is lost. The first int(0.8 n) train, the rest test. Fields pass through
    per-component means and unbiased deviations of the training pairs; the loss is the mean over the
    batch of ||p - y|| / ||y|| of unscaled fields. AdamW, StepLR per epoch.

    Args:
        meta: ``epochs``, ``batch_size``, ``lr``, ``scheduler_step``, ``scheduler_gamma`` and
            ``config.in_dim``, ``config.in_time_window``.
        data: (runs, frames, *S, components); the first ``in_dim`` components are used.
    """

    def __init__(self, meta: Mapping[str, Any], data: Tensor) -> None:
        config = meta["config"]
        self.window = int(config.get("in_time_window", 1))
        self.fields = data[..., : int(config["in_dim"])]
        self.epochs, self.batch = int(meta["epochs"]), int(meta["batch_size"])
        self.rate = float(meta["lr"])
        self.step, self.gamma = int(meta["scheduler_step"]), float(meta["scheduler_gamma"])
        runs, frames = data.shape[:2]
        per_run = frames - self.window - 1
        if per_run < 1:
            raise ConfigError(f"runs have {frames} frames, expected more than {self.window + 1}")
        self.starts = torch.cartesian_prod(torch.arange(runs), torch.arange(per_run))
        self.num_train = int(0.8 * len(self.starts))

    def pair(self, which: Tensor) -> tuple[Tensor, Tensor]:
        """Return inputs (B, T_in, C, *S) and targets (B, C, *S) of the pairs ``which``."""
        run, first = self.starts[which].unbind(-1)
        window = torch.stack([self.fields[run, first + t] for t in range(self.window)], 1)
        return window.movedim(-1, 2), self.fields[run, first + self.window].movedim(-1, 1)

    def statistics(self) -> dict[str, Tensor]:
        """Return means, deviations and the extreme changes of sum(u^2), each per component."""
        x, y = self.pair(torch.arange(self.num_train))
        over_x = tuple(d for d in range(x.ndim) if d != 2)
        over_y = tuple(d for d in range(y.ndim) if d != 1)
        # of all runs and consecutive frames, the test runs too: the release saves them, unused
        energy = self.fields.square().flatten(2, -2).sum(2)
        delta = energy.diff(dim=1).flatten(0, 1)
        return {
            "x_mean": x.mean(over_x),
            "x_std": x.std(over_x),
            "y_mean": y.mean(over_y),
            "y_std": y.std(over_y),
            "delta_energy_max": delta.amax(0),
            "delta_energy_min": delta.amin(0),
        }

    def train(self, network: nn.Module, order: Tensor) -> dict[str, NDArray[Any]]:
        """Train ``network`` in place, with batches in the order (epochs, num_train) given."""
        found = self.statistics()
        optimiser = torch.optim.AdamW(network.parameters(), lr=self.rate, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.StepLR(optimiser, self.step, self.gamma)
        test = torch.arange(self.num_train, len(self.starts))
        losses, rates, errors = [], [], []
        for epoch in range(self.epochs):
            for which in order[epoch].split(self.batch):
                optimiser.zero_grad()
                loss = self.errors(network, which, found).mean()
                loss.backward()
                optimiser.step()
                losses.append(float(loss.detach()))
                rates.append(float(optimiser.param_groups[0]["lr"]))
            schedule.step()
            with torch.no_grad():
                errors.append(self.errors(network, test, found))
        results = found | {
            "n_train": torch.tensor(self.num_train),
            "pair_start": self.starts,
            "loss_step": torch.tensor(losses, dtype=torch.float64),
            "lr_step": torch.tensor(rates, dtype=torch.float64),
            "test_rel_l2": torch.stack(errors),
        }
        return {name: value.numpy() for name, value in results.items()}

    def errors(self, network: nn.Module, which: Tensor, found: Mapping[str, Tensor]) -> Tensor:
        """Return ||p - y|| / ||y|| (B,) of the pairs ``which``, of unscaled fields."""
        x, y = self.pair(which)
        per_channel = (-1, *(1,) * (y.ndim - 2))
        scaled = (x - found["x_mean"].view(per_channel)) / found["x_std"].view(per_channel)
        p = network(scaled.flatten(1, 2))
        p = p * found["y_std"].view(per_channel) + found["y_mean"].view(per_channel)
        return (p - y).flatten(1).norm(dim=1) / y.flatten(1).norm(dim=1)
