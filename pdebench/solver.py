"""Three verbs put every method in one table: fit (offline), prepare (set-up), solve (online)."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, final

from torch import Tensor

from pdebench.problem import Problem, Solution
from pdebench.samples import Samples

if TYPE_CHECKING:
    from pdebench.task import Task

Use = Literal["labels", "equation"]


@final
@dataclass(frozen=True)
class Budget:
    """What ``fit`` may spend: any of ``epochs`` (passes over train), ``steps`` (updates),
    ``seconds`` (wall clock).

    The first one reached ends the training. None means no limit of that kind; all None means no
    training at all is limited and is refused by learned solvers.
    """

    epochs: int | None = None
    steps: int | None = None
    seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "steps", "seconds"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise ValueError(f"budget.{name}={value}, expected a positive number or null")


@final
@dataclass(frozen=True)
class Pretraining:
    """Where fitted weights came from before ``fit`` saw them; what is not known stays None.

    Attributes:
        source: folder or hub name, as configured.
        digest: SHA-256 of the weights, hexadecimal.
        task: what they were trained on, such as ``navier_stokes/evolve``.
        data: data sets they saw, such as ``("navier_stokes/forced",)``; empty if not known.
        samples: training samples (trajectories) they saw.
        seconds: wall clock of that training, s.
    """

    source: str
    digest: str
    task: str | None = None
    data: tuple[str, ...] = ()
    samples: int | None = None
    seconds: float | None = None

    def related(self, dataset: str) -> bool:
        """Whether it saw data of the same family as ``dataset``: the part of the name before /."""
        family = dataset.partition("/")[0]
        return any(seen.partition("/")[0] == family for seen in self.data)


class Solver(ABC):
    """A method that answers problems.

    Attributes:
        uses: what it may see, a subset of {"labels", "equation"}. The harness enforces it.
        breaks: rules of the conformance kit that it knowingly breaks, each with its reason.

    ``fit`` runs once per data set, ``prepare`` once per discretisation, ``solve`` once per batch;
    the three are timed apart. A solver draws its random numbers from the global torch generator,
    which the harness seeds before ``fit``.
    """

    uses: ClassVar[frozenset[Use]] = frozenset()
    breaks: ClassVar[Mapping[str, str]] = {}

    def supports(self, task: "Task") -> str | None:
        """Return None, or the sentence that says why this solver does not apply to ``task``."""
        return None

    def fit(self, train: Samples, valid: Samples, budget: Budget) -> None:  # noqa: B027 (empty is valid)
        """Learn from ``train``; choose on ``valid`` only. Nothing by default."""

    def prepare(self, problem: Problem) -> None:  # noqa: B027 (empty is a valid verb)
        """Do what depends on the discretisation but not on the instance: factor, plan, compile.
        Nothing by default.
        """

    @abstractmethod
    def solve(self, problem: Problem) -> Solution:
        """Answer the problem: ``Solution.u`` (B, [T,] C, *S) on the problem's device."""

    def stream(self, problem: Problem, block: int) -> Iterator[Solution]:
        """Yield the answer in blocks of consecutive frames (B, t, C, *S), in order.

        For solvers that need not hold all frames at once; by default the whole answer is one block,
        and so is that to a steady problem. Together the blocks are what ``solve`` returns.

        Args:
            problem: as for ``solve``.
            block: frames that a block is wanted to have; a solver may find others convenient.

        A block may be overwritten by the next: copy what is to be kept, and write into none.
        """
        yield self.solve(problem)

    @property
    def num_parameters(self) -> int:
        """Trainable real numbers (a complex weight counts as two); 0 for classical methods."""
        return 0

    @property
    def pretraining(self) -> Pretraining | None:
        """Where the weights came from that ``fit`` started from; None for a start of its own."""
        return None

    @property
    def disclosures(self) -> Mapping[str, str]:
        """What a reader of a record must know beyond ``uses``, by subject: constants that labelled
        data tuned, say. Asked after ``fit``; nothing by default.
        """
        return {}

    def save(self, path: Path) -> None:  # noqa: B027 (nothing fitted, nothing to save)
        """Write the fitted state into folder ``path``. Nothing by default."""

    def load(self, path: Path) -> None:  # noqa: B027 (nothing fitted, nothing to load)
        """Read what ``save`` wrote. Nothing by default."""


class IterativeSolver(Solver):
    """A solver that improves an answer step by step.

    ``iterate`` yields successive approximations; the harness runs the clock only inside ``next()``
    and decides when to stop, so that error-against-seconds curves need no code of the solver.
    """

    @abstractmethod
    def iterate(self, problem: Problem) -> Iterator[Tensor | Solution]:
        """Yield iterates (B, [T,] C, *S); end when the solver's own tolerance is met.

        A `Solution` is yielded where more than the field is known: steps of every instance, a
        spread, other counts.
        """

    @final
    def iterates(self, problem: Problem) -> Iterator[Solution]:
        """Run ``iterate`` and give every iterate as a solution.

        A bare field gets the number of fields so far, the first guess included, as its iterations.
        """
        for count, iterate in enumerate(self.iterate(problem), 1):
            if isinstance(iterate, Solution):
                yield iterate
            else:
                yield Solution(iterate, iterations=iterate.new_full((len(iterate),), count))

    @final
    def solve(self, problem: Problem) -> Solution:
        """Run ``iterate`` to its end and return the last iterate."""
        last = None
        for iterate in self.iterates(problem):
            last = iterate
        if last is None:
            raise RuntimeError(
                f"{type(self).__name__}.iterate yielded nothing; yield at least the initial guess"
            )
        return last
