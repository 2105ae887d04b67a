"""Plans run on PyTorch models: the official MAR and LightGen objects, and whatever has their methods.

    import gtr, gtr.torch
    plan = gtr.plan("gtr-16", grid=(16, 16))
    latents = gtr.torch.sample(model, plan, labels=labels, cfg=3.2, seed=0)

`sample` is the loop; `Mar` and `LightGen` say what a model must offer; `AddressedNoise`, `GeneratorNoise` and a trace's noise
are where randomness comes from. `python -m gtr.torch sample --help` makes many images on many devices.
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
