"""Sampling plans for masked autoregressive (MAR) image generators.

A plan says which tokens of an image are generated when, and with how much computation:

>>> import gtr
>>> plan = gtr.plan("gtr-16", grid=(16, 16))
>>> len(plan.steps), plan.order(seed=0, image=7).shape
(16, (256,))

`plan` makes one, `presets` and `schedulers` tell what there is to choose from, `verify` checks the plans of others, and
`register` adds an order or a pace that is written in Python. `gtr.torch.sample` runs plans on PyTorch models; it is imported
only when asked for.
"""

from gtr import laws
from gtr._architectures import ARCHITECTURES
from gtr._catalogue import Preset, Scheduler, presets, schedulers
from gtr._design import Design, design
from gtr._gtr import Plan, PlanError, __version__
from gtr._numbers import fts_scores, noise, noises, pick, timesteps
from gtr._planning import plan
from gtr._schedulers import Grid, register, unregister
from gtr._verification import Verification, Violation, verify

__all__ = [
    "ARCHITECTURES",
    "Design",
    "Grid",
    "Plan",
    "PlanError",
    "Preset",
    "Scheduler",
    "Verification",
    "Violation",
    "__version__",
    "design",
    "fts_scores",
    "laws",
    "noise",
    "noises",
    "pick",
    "plan",
    "presets",
    "register",
    "schedulers",
    "timesteps",
    "unregister",
    "verify",
]
