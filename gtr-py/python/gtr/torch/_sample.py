"""The sampling loop: runs any plan on any model."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from gtr._gtr import Plan
from gtr._planning import AXES, with_default_max_timestep
from gtr.torch import _detail
from gtr.torch._head import Conditions, Group, denoise
from gtr.torch._models import Driver, drive
from gtr.torch._noise import AddressedNoise, GeneratorNoise, NoiseSource
from gtr.torch._process import process

# The optional axes that this loop executes.
SUPPORTED = frozenset({"guidance"})


class SampleError(RuntimeError):
    """Sampling failed, for example because of a value that is not finite."""


@dataclass(frozen=True)
class Step:
    """A finished AR step."""

    index: int
    """Its position in the plan, from 0."""
    steps: int
    """Number of AR steps of the plan."""
    tokens: NDArray[np.int64]
    """The generated tokens, ascending: [batch, m]."""
    picked: NDArray[np.bool_]
    """True for tokens that the detail rule picked: [batch, m]."""
    guidance: float
    """The guidance scale of the step."""
    features: Tensor
    """The conditioning vectors of the tokens, as passed to the head: [batch, m, width]."""
    values: Tensor
    """The drawn values: [batch, m, channels]."""
    canvas: Tensor
    """The current values of all tokens, 0 for unknown ones: [batch, tokens, channels]. Do not modify."""


def sample(
    model: Any,
    plan: Plan,
    *,
    labels: Iterable[int] | Tensor | None = None,
    texts: Tensor | None = None,
    count: int | None = None,
    cfg: float = 1.0,
    cfg_schedule: str = "linear",
    temperature: float = 1.0,
    seed: int = 0,
    first_image: int = 0,
    images: Iterable[int] | None = None,
    init: Tensor | None = None,
    noise: str | NoiseSource = "gtr",
    generator: torch.Generator | None = None,
    orders: ArrayLike | None = None,
    callback: Callable[[Step], object] | None = None,
    progress: bool = False,
) -> Tensor:
    """Generates a batch of images; returns latents, [batch, channels, height, width], like the model's `sample_tokens`.

    Arguments:
        model: an object with the methods of the official MAR (`gtr.torch.Mar`) or LightGen (`gtr.torch.LightGen`), in eval mode,
            on any device. It is not modified. A `max_timestep` of the model limits the timesteps of a plan without a limit.
        plan: a plan for the model's grid.
        labels: one class per image; None for no class.
        texts: for LightGen: the output of its text encoder, [batch, length, width].
        count: number of images, if neither labels nor texts determine it.
        cfg, cfg_schedule: scale of classifier-free guidance at full strength (1 means no guidance), and `linear` or `constant`.
        temperature: factor of the noise that is added after each evaluation of the head, 0 to 100.
        seed: seed of orders, noise and random picks.
        first_image, images: numbers of the images, which are part of the random key: consecutive from `first_image`, or listed.
        init: for a plan with known tokens: latents that contain them, [batch, channels, height, width].
        noise: `gtr`: addressed by seed, image, token and draw, so that an image does not depend on its batch; `torch`: drawn like
            in the published loop; or another `gtr.torch.NoiseSource`, such as the `noise` of a trace.
        generator: the generator for `noise="torch"`; without it the global one.
        orders: the generation order of the tokens, [batch, tokens left], stage by stage, instead of the plan's order for `seed`.
            The orders of the published loop must be reversed.
        callback: called with a `Step` after each AR step; an exception ends the run.
        progress: shows a progress bar, if tqdm is installed.

    Raises:
        gtr.torch.ModelError: the model lacks a method, or has another grid.
        ValueError, TypeError: invalid settings or shapes, or a plan that sets an optional axis other than `guidance`.
        gtr.torch.SampleError: a value is not finite.

    Examples:
        See `gtr-py/examples/digits.py`, which samples a small model from Python.
    """
    driver = drive(model)
    limit = getattr(model, "max_timestep", None)
    if limit is not None:
        plan = with_default_max_timestep(plan, int(limit))
    if not 0 <= temperature <= 100:
        raise ValueError(f"a temperature must be 0 to 100, not {temperature}")
    _supported(plan)
    scales = plan.guidance(cfg, cfg_schedule)
    guided = cfg != 1.0
    with torch.no_grad(), driver.at(plan.grid), _precision(driver):
        batch = driver.prompt(count, labels, texts, guided)
        numbers = _images(images, first_image, batch)
        run = _Run(
            driver=driver,
            plan=plan,
            orders=_orders(orders, plan, seed, numbers),
            images=numbers,
            seed=seed,
            guidance=_as_published(plan, cfg, cfg_schedule, driver.device) if guided else None,
            scales=scales,
            temperature=temperature,
            noise=_noise(noise, seed, driver.device, guided, generator),
        )
        return run.images_from(init, callback, _bar(progress))


@dataclass
class _Run:
    driver: Driver
    plan: Plan
    orders: NDArray[np.int64]
    images: NDArray[np.uint64]
    seed: int
    guidance: Sequence[Any] | None
    scales: NDArray[np.float64]
    temperature: float
    noise: NoiseSource

    def images_from(
        self,
        init: Tensor | None,
        callback: Callable[[Step], object] | None,
        bar: Callable[[Sequence[Any]], Iterable[Any]],
    ) -> Tensor:
        """Runs all steps and returns the latents."""
        canvas, mask = self._begin(init)
        done = 0
        steps = self.plan.steps
        for index, step in enumerate(bar(steps)):
            tokens = np.sort(self.orders[:, done : done + step["tokens"]], axis=1)
            done += step["tokens"]
            features, picked, values = self._step(index, step, canvas, mask, tokens)
            places = torch.from_numpy(tokens).to(canvas.device)
            canvas = canvas.scatter(1, places[..., None].expand_as(values), values.to(canvas.dtype))
            mask = mask.scatter(1, places, 0.0)
            if canvas.device.type == "cpu" or index + 1 == len(steps):
                self._check(canvas, index)
            if callback is not None:
                scale = float(self.scales[index])
                callback(Step(index, len(steps), tokens, picked, scale, features, values, canvas))
        latents: Tensor = self.driver.model.unpatchify(canvas)
        return latents

    def _begin(self, init: Tensor | None) -> tuple[Tensor, Tensor]:
        """Returns the initial canvas and mask: empty except for the known tokens."""
        driver, (height, width) = self.driver, self.plan.grid
        shape = (len(self.images), height * width)
        dtype = torch.promote_types(driver.dtype, torch.float32)
        canvas = torch.zeros(*shape, driver.channels, device=driver.device, dtype=dtype)
        mask = torch.ones(*shape, device=driver.device)
        known = self.plan.known
        if not len(known):
            if init is not None:
                raise ValueError("the plan has no known tokens: plan with known=..., or omit init")
            return canvas, mask
        if init is None:
            raise ValueError(f"the plan has {len(known)} known tokens: give init, the latents that contain them")
        if not callable(getattr(driver.model, "patchify", None)):
            raise TypeError("init needs the model's method `patchify`, which is missing")
        values = driver.model.patchify(init.to(driver.device, dtype))
        if values.shape != canvas.shape:
            found, wanted = tuple(values.shape), tuple(canvas.shape)
            raise ValueError(f"init has tokens of shape {found}, expected {wanted}")
        canvas[:, known] = values[:, known]
        mask[:, known] = 0.0
        return canvas, mask

    def _step(
        self, index: int, step: dict[str, Any], canvas: Tensor, mask: Tensor, tokens: NDArray[np.int64]
    ) -> tuple[Tensor, NDArray[np.bool_], Tensor]:
        """Returns the conditioning vectors, the picks and the values of the tokens of a step."""
        driver, guided = self.driver, self.guidance is not None
        both = (torch.cat([canvas, canvas]), torch.cat([mask, mask])) if guided else (canvas, mask)
        z = driver.conditions(*both)
        batch, count = tokens.shape
        halves = np.concatenate([tokens, tokens]) if guided else tokens
        places = torch.from_numpy(halves).to(z.device)
        z = z.gather(1, places[..., None].expand(-1, -1, z.shape[-1]))
        picked = np.zeros(tokens.shape, dtype=bool)
        detail = step.get("detail")
        if detail is not None:
            chosen = _detail.pick(self.plan, index, detail["tokens"], self.seed, self.images, tokens, z[:batch])
            np.put_along_axis(picked, chosen, True, axis=1)
        # `denoise` needs the group with the most evaluations first.
        timesteps = self.plan.timesteps(index)
        members = [(~picked, timesteps[0])] + ([(picked, timesteps[1])] if detail is not None else [])
        members = sorted((it for it in members if it[0].any()), key=lambda it: -len(it[1]))
        groups, rows = [], []
        for chosen, walked in members:
            own = tokens[chosen].reshape(batch, -1)
            noise = self.noise.draws(index, self.images, own, len(walked), driver.channels)
            groups.append(Group(process(tuple(walked.tolist())), own.size, noise))
            rows.append(np.flatnonzero(chosen))
        conditions = z.reshape(-1, z.shape[-1])
        if len(groups) > 1:
            order = torch.from_numpy(np.concatenate(rows)).to(z.device)
            halves_in_order = [order, order + batch * count] if guided else [order]
            conditions = conditions[torch.cat(halves_in_order)]
        half = batch * count
        given = Conditions(conditions[:half], conditions[half:] if guided else None)
        scale = self.guidance[index] if self.guidance is not None else None
        values = denoise(driver.net, groups, given, scale, self.temperature, canvas.dtype)
        if len(groups) > 1:
            values = torch.empty_like(values).index_copy_(0, order, values)
        return z[:batch], picked, values.reshape(batch, count, -1)

    def _check(self, canvas: Tensor, index: int) -> None:
        finite = torch.isfinite(canvas)
        if bool(finite.all()):
            return
        slot, token = (~finite).any(dim=-1).nonzero()[0].tolist()
        raise SampleError(
            f"token {token} of image {self.images[slot]} is not finite after AR step {index + 1} of "
            f"{len(self.plan.steps)}: check the weights and the settings"
        )


def _images(images: Iterable[int] | None, first: int, batch: int) -> NDArray[np.uint64]:
    numbers = list(range(first, first + batch)) if images is None else [int(image) for image in images]
    if len(numbers) != batch:
        raise ValueError(f"there are {len(numbers)} image numbers for {batch} images: give one per image")
    if not all(0 <= number < 2**64 for number in numbers):
        raise ValueError(f"the number of an image must be 0 to {2**64 - 1}")
    return np.array(numbers, dtype=np.uint64)


def _orders(orders: ArrayLike | None, plan: Plan, seed: int, images: NDArray[np.uint64]) -> NDArray[np.int64]:
    made = plan.orders(seed, images.tolist())
    if orders is None:
        return made
    given = np.asarray(orders, dtype=np.int64)
    if given.shape != made.shape:
        raise ValueError(f"orders must have the shape {made.shape}, not {given.shape}")
    begin = 0
    for number, stage in enumerate(plan.stages, 1):
        end = begin + len(stage["tokens"])
        if not np.array_equal(np.sort(given[:, begin:end], axis=1), np.sort(made[:, begin:end], axis=1)):
            raise ValueError(f"orders must contain each token of stage {number} once, at the positions of the stage")
        begin = end
    return given


def _noise(
    noise: str | NoiseSource, seed: int, device: torch.device, guided: bool, generator: torch.Generator | None
) -> NoiseSource:
    if generator is not None and noise != "torch":
        raise ValueError('generator needs noise="torch"')
    if noise == "gtr":
        return AddressedNoise(seed)
    if noise == "torch":
        return GeneratorNoise(device, guided, generator)
    if isinstance(noise, NoiseSource):
        return noise
    raise ValueError(f"noise must be `gtr`, `torch`, or an object with `draws`, not {noise!r}")


def _as_published(plan: Plan, scale: float, schedule: str, device: torch.device) -> Sequence[Any]:
    """Returns the guidance scale of each step with the float32 rounding of the published loop."""
    if "guidance" in plan.schedule:
        return [float(scale) for scale in plan.guidance(scale, schedule)]
    if schedule == "constant":
        return [scale] * len(plan.steps)
    tokens = plan.grid[0] * plan.grid[1]
    left = tokens - len(plan.known) - np.cumsum([step["tokens"] for step in plan.steps])
    masked = torch.from_numpy(np.maximum(left, 1)).float()
    scales = 1 + (scale - 1) * (tokens - masked) / tokens
    scales = scales.to(device)
    return [scales[step : step + 1] for step in range(len(scales))]


def _supported(plan: Plan) -> None:
    """Refuses plans that the loop cannot run as they say."""
    for axis, default in AXES.items():
        if default is None or axis in SUPPORTED:
            continue
        kind = plan.schedule.get(axis, {"kind": default})["kind"]
        if kind != default:
            raise ValueError(
                f"the plan sets {axis} `{kind}`; gtr.torch supports only `{default}`, gtr-cli supports all"
            )


def _precision(driver: Driver) -> contextlib.AbstractContextManager[Any]:
    """Returns an autocast context for half-precision models, because the published code creates float32 tensors."""
    kind = driver.device.type
    if driver.dtype in (torch.float16, torch.bfloat16) and not torch.is_autocast_enabled(kind):
        return torch.autocast(kind, driver.dtype)
    return contextlib.nullcontext()


def _bar(progress: bool) -> Callable[[Sequence[Any]], Iterable[Any]]:
    if progress:
        with contextlib.suppress(ImportError):
            from tqdm.auto import tqdm

            return lambda steps: tqdm(steps, desc="AR steps", leave=False)
    return lambda steps: steps
