"""Sampling plans for masked autoregressive (MAR) image generators.

A plan says which tokens of an image are generated at which AR step, and with how many diffusion steps:

>>> import gtr
>>> plan = gtr.plan("gtr-16", grid=(16, 16))
>>> len(plan.steps), plan.order(seed=0, image=7).shape
(16, (256,))

`plan` creates a plan, `presets` and `schedulers` list the available choices, `verify` checks untrusted plans, and `register`
adds an order or a pace written in Python. `gtr.torch.sample` runs plans on PyTorch models; `gtr.torch` must be imported
explicitly.
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
