"""Training of learned operators on Lightning: the only package of the suite that imports it, and
only inside ``fit``.
"""

from pdebench.learning.forms import Form, OneShot, Sizes, SpaceTime, stacked
from pdebench.learning.losses import FrameRelativeL2, MeanSquare, RelativeL2
from pdebench.learning.rollout import Rollout
from pdebench.learning.scaling import NoScaling, PerChannel, PerPoint, Scaling
from pdebench.learning.schedules import WarmupCosine
from pdebench.learning.solver import LearnedSolver, Scaled
from pdebench.learning.training import Training

__all__ = [
    "Form",
    "FrameRelativeL2",
    "LearnedSolver",
    "MeanSquare",
    "NoScaling",
    "OneShot",
    "PerChannel",
    "PerPoint",
    "RelativeL2",
    "Rollout",
    "Scaled",
    "Scaling",
    "Sizes",
    "SpaceTime",
    "Training",
    "WarmupCosine",
    "stacked",
]
