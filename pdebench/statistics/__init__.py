"""What scores of a few seeds on some samples allow to be said: intervals, tests, ranks, effects.

A solver's scores are an array (S, N): S seeds (independently fitted solvers, the unit that a claim
about the method is made of) on the same N samples. Nothing here knows records or boards.
"""

from pdebench.statistics.adequacy import cautions
from pdebench.statistics.comparison import Comparison, compare, holm, p_values, pairwise
from pdebench.statistics.diagram import Diagram, critical_difference
from pdebench.statistics.effects import cliffs_delta, cohens_d, geometric_ratio
from pdebench.statistics.intervals import (
    Estimate,
    difference_interval,
    joint_replicates,
    mean_interval,
)
from pdebench.statistics.plain import bootstrap_interval
from pdebench.statistics.ranks import RankSets, rank_sets

__all__ = [
    "Comparison",
    "Diagram",
    "Estimate",
    "RankSets",
    "bootstrap_interval",
    "cautions",
    "cliffs_delta",
    "cohens_d",
    "compare",
    "critical_difference",
    "difference_interval",
    "geometric_ratio",
    "holm",
    "joint_replicates",
    "mean_interval",
    "p_values",
    "pairwise",
    "rank_sets",
]
