"""Resumable training: all random numbers derive from the seed and the step number, so that a resumed run has the same bits."""

import math
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import nn

from . import data, diffusion
from .network import Mar, Sizes, tokens_of


@dataclass(frozen=True)
class Recipe:
    """The hyperparameters that determine the weights, with the sizes and the images. `steps` may change on resume."""

    steps: int = 60_000
    batch: int = 64
    rate: float = 8e-4
    warmup: int = 500
    cooldown: float = 0.25
    decay: float = 0.02
    clip: float = 1.0
    average: float = 0.9995
    rows: int = 128
    shift: int = 1
    drop: float = 0.1
    masks: str = "cosine"
    top: int = 979
    weight_cap: float = 20.0
    variance_weight: float = 0.1
    seed: int = 0

    def rate_at(self, step):
        """Returns the learning rate: linear warmup, constant, then a cosine decay to 2 % over the last steps."""
        rate = self.rate * min(1.0, (step + 1) / self.warmup)
        start = self.steps * (1 - self.cooldown)
        if step <= start:
            return rate
        share = min(1.0, (step - start) / max(1.0, self.steps - start))
        return rate * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * share)))

    def average_at(self, step):
        """Returns the decay of the moving average, which is lower in the first steps."""
        return min(self.average, (1 + step) / (10 + step))

    def masked(self, tokens, generator):
        """Draws the number of masked tokens of an image."""
        u = torch.rand((), generator=generator, dtype=torch.float64).item()
        if self.masks == "cosine":
            return max(1, math.ceil(tokens * math.cos(u * math.pi / 2)))
        if self.masks == "uniform":
            return max(1, math.ceil(tokens * u))
        # Published: a normal distribution with mean 1 and standard deviation 0.25, truncated to 0.7 to 1.
        edge = 0.5 * (1 + math.erf((0.7 - 1) / 0.25 / math.sqrt(2)))
        place = torch.special.ndtri(torch.tensor(edge + u * (0.5 - edge), dtype=torch.float64)).item()
        return min(tokens, max(1, math.ceil(tokens * (1 + 0.25 * place))))


class StateError(Exception):
    """The state of a training cannot be read, or belongs to another training."""


class Training:
    def __init__(self, sizes, recipe, pictures, labels, device="cpu", half="none", compiled=False):
        self.sizes, self.recipe, self.device = sizes, recipe, torch.device(device)
        self.half = half
        self.pictures, self.labels = data.scaled(pictures), labels
        data.padded(self.pictures[:1], sizes.picture)
        torch.manual_seed(recipe.seed)
        self.model = Mar(sizes).to(self.device)
        self.average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=recipe.rate, betas=(0.9, 0.95), weight_decay=recipe.decay
        )
        self.loss = diffusion.Loss(recipe.top, recipe.weight_cap, recipe.variance_weight, self.device)
        self.net = torch.compile(self.model.diffloss.net) if compiled else self.model.diffloss.net
        self.step = 0
        self.seconds = 0.0

    def advance(self):
        """Runs one step and returns the mean squared error of the predicted noise."""
        began = time.monotonic()
        recipe = self.recipe
        for group in self.optimizer.param_groups:
            group["lr"] = recipe.rate_at(self.step)
        loss, error = self._loss(torch.Generator().manual_seed(recipe.seed * 2**40 + self.step))
        self.optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip)
        self.optimizer.step()
        kept = recipe.average_at(self.step)
        with torch.no_grad():
            names, values = zip(*self.model.named_parameters())
            torch._foreach_lerp_([self.average[name] for name in names], [v.detach() for v in values], 1 - kept)
        self.step += 1
        self.seconds += time.monotonic() - began
        return error.item()

    def _loss(self, generator):
        sizes, recipe, device = self.sizes, self.recipe, self.device
        batch, length = recipe.batch, sizes.tokens
        chosen = torch.randint(0, len(self.pictures), (batch,), generator=generator)
        shifts = torch.randint(-recipe.shift, recipe.shift + 1, (batch, 2), generator=generator)
        tokens = tokens_of(data.padded(self.pictures[chosen], sizes.picture, shifts), sizes).to(device)
        masked = recipe.masked(length, generator)
        order = torch.rand(batch, length, generator=generator).argsort(dim=1)
        dropped = torch.rand(batch, generator=generator) < recipe.drop
        # Masked tokens are repeated at several timesteps, so that the cost of a step does not depend on the mask.
        rows = order[:, :masked].repeat(1, -(-recipe.rows // masked))[:, : recipe.rows].to(device)
        timesteps = diffusion.stratified(batch * recipe.rows, recipe.top, generator).to(device)
        noise = torch.randn(batch * recipe.rows, sizes.token_width, generator=generator).to(device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half != "none"):
            classes = self.model.classes(self.labels[chosen].to(device), dropped.to(device))
            z = self.model.condition(tokens, order[:, masked:].to(device), classes)
        z = torch.gather(z.float(), 1, rows[:, :, None].expand(-1, -1, sizes.width)).flatten(0, 1)
        x = torch.gather(tokens, 1, rows[:, :, None].expand(-1, -1, sizes.token_width)).flatten(0, 1)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.half == "all"):
            return self.loss(self.net, x, z, timesteps, noise)

    def averaged(self):
        """Returns the model with the averaged weights."""
        model = Mar(self.sizes).to(self.device)
        model.load_state_dict(self.average)
        return model.eval()

    def save(self, path):
        """Writes everything that the next step depends on, atomically."""
        path = Path(path)
        state = {
            "sizes": asdict(self.sizes),
            "recipe": asdict(self.recipe),
            "pictures": list(self.pictures.shape),
            "model": self.model.state_dict(),
            "average": self.average,
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
        }
        new = path.with_name(path.name + ".new")
        torch.save(state, new)
        with open(new, "rb") as file:
            os.fsync(file.fileno())
        os.replace(new, path)

    def resume(self, path):
        """Resumes from PATH, which must have the same sizes, recipe and images; the number of steps may differ."""
        state = read_state(path)
        recipe = {**state["recipe"], "steps": self.recipe.steps}
        theirs = state["sizes"] | recipe | {"pictures": state["pictures"]}
        ours = asdict(self.sizes) | asdict(self.recipe) | {"pictures": list(self.pictures.shape)}
        for what, value in ours.items():
            if theirs.get(what) != value:
                raise StateError(f"{path}: belongs to another training: its {what} is {theirs.get(what)}, not {value}")
        self.model.load_state_dict(state["model"])
        self.average = {name: value.to(self.device) for name, value in state["average"].items()}
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.seconds = state["step"], state["seconds"]


def read_state(path):
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        missing = {"sizes", "recipe", "pictures", "model", "average", "optimizer", "step", "seconds"} - set(state)
    except Exception as error:
        raise StateError(f"{path}: not the state of a training, or damaged ({type(error).__name__})") from error
    if missing:
        raise StateError(f"{path}: not the state of a training: {', '.join(sorted(missing))} missing")
    return state


def model_of(state):
    """Returns the model with the averaged weights of a state, rounded to half precision like the written weights."""
    model = Mar(Sizes(**state["sizes"]))
    model.load_state_dict({name: value.half().float() for name, value in state["average"].items()})
    return model.eval()
