"""A network as one CUDA graph: one launch per call, whatever the number of its kernels."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from pdebench.errors import ConfigError


def captured(network: nn.Module, example: Tensor) -> Callable[[Tensor], Tensor]:
    """Return the network as one CUDA graph on inputs like ``example``; its output is reused."""
    if example.device.type != "cuda":
        raise ConfigError("solver.form.graph=true needs device=cuda; set it to false")
    given = example.clone()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # allocations and autotuning must not be captured
        for _ in range(3):
            network(given)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        answer = network(given)

    def replay(x: Tensor) -> Tensor:
        given.copy_(x)
        graph.replay()
        return answer

    return replay
