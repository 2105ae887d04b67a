"""Sampling of PyTorch models with plans: the official MAR and LightGen objects, and any object with their methods.

    import gtr, gtr.torch
    plan = gtr.plan("gtr-16", grid=(16, 16))
    latents = gtr.torch.sample(model, plan, labels=labels, cfg=3.2, seed=0)

`sample` is the sampling loop. `Mar` and `LightGen` are the protocols that a model must implement. `AddressedNoise`,
`GeneratorNoise` and the noise of a trace are the sources of randomness. `python -m gtr.torch sample --help` describes how to
generate many images on several devices.
"""

from gtr.torch._models import LightGen, Mar, ModelError
from gtr.torch._noise import AddressedNoise, GeneratorNoise, NoiseSource
from gtr.torch._sample import SampleError, Step, sample

__all__ = [
    "AddressedNoise",
    "GeneratorNoise",
    "LightGen",
    "Mar",
    "ModelError",
    "NoiseSource",
    "SampleError",
    "Step",
    "sample",
]
