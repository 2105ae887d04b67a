#!/usr/bin/env python3
"""Measures the time of the published arithmetic of MAR in PyTorch, for a comparison with `gtr-cli bench`.

Runs a plan from `gtr-cli plan --format json` on a model with random weights: encoder and decoder on both halves of the guidance,
the diffusion head on the tokens of the plan, and the decoder of KL-16. Like the published code, it computes all positions of the
last decoder block, and embeds the conditioning vectors at every diffusion step. Tokens that a detail rule picks are drawn by a
second loop, because the published code cannot merge chains of different lengths. Needs only torch and numpy.

    gtr-cli plan --preset gtr-16 --format json --out plan.json
    python3 tools/torch_mar.py --plan plan.json --threads 2

Without a plan, the script only measures the rate of matrix products.
"""

import argparse
import json
import statistics
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

# Width, blocks of encoder and of decoder, heads, width and blocks of the diffusion head.
SIZES = {"mar-b": (768, 12, 12, 1024, 6), "mar-l": (1024, 16, 16, 1280, 8), "mar-h": (1280, 20, 16, 1536, 12)}
CHANNELS, BUFFER, EPS = 16, 64, 1e-6


class Block(nn.Module):
    """A pre-norm transformer block."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=EPS), nn.LayerNorm(width, eps=EPS)
        self.qkv, self.projection = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.fc1, self.fc2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = self.qkv(self.norm1(x)).reshape(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        mixed = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, width)
        x = x + self.projection(mixed)
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class Residual(nn.Module):
    """A residual block of the diffusion head, modulated by timestep and condition."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.fc1, self.fc2 = nn.Linear(width, width), nn.Linear(width, width)
        self.modulation = nn.Linear(width, 3 * width)

    def forward(self, x, y):
        shift, scale, gate = self.modulation(F.silu(y)).chunk(3, dim=-1)
        hidden = self.norm(x) * (1 + scale) + shift
        return x + gate * self.fc2(F.silu(self.fc1(hidden)))


class Head(nn.Module):
    """The network of the diffusion head."""

    def __init__(self, condition, width, depth):
        super().__init__()
        self.time1, self.time2 = nn.Linear(256, width), nn.Linear(width, width)
        self.condition, self.input = nn.Linear(condition, width), nn.Linear(CHANNELS, width)
        self.blocks = nn.ModuleList(Residual(width) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=EPS, elementwise_affine=False)
        self.modulation, self.output = nn.Linear(width, 2 * width), nn.Linear(width, 2 * CHANNELS)
        self.frequencies = torch.exp(-np.log(10_000.0) * torch.arange(128) / 128)

    def forward(self, x, t, z):
        angles = t[:, None].float() * self.frequencies
        waves = torch.cat([angles.cos(), angles.sin()], dim=-1).to(x.dtype)
        y = self.time2(F.silu(self.time1(waves))) + self.condition(z)
        x = self.input(x)
        for block in self.blocks:
            x = block(x, y)
        shift, scale = self.modulation(F.silu(y)).chunk(2, dim=-1)
        return self.output(self.norm(x) * (1 + scale) + shift)


class Mar(nn.Module):
    """Encoder, decoder and head."""

    def __init__(self, size, tokens, classes=1000):
        super().__init__()
        width, depth, heads, head_width, head_depth = SIZES[size]
        length = BUFFER + tokens
        parameter = lambda *shape: nn.Parameter(torch.randn(shape) * 0.02)
        self.classes, self.no_class = nn.Embedding(classes, width), parameter(1, width)
        self.embed, self.norm = nn.Linear(CHANNELS, width), nn.LayerNorm(width, eps=EPS)
        self.encoder_positions, self.decoder_positions = parameter(1, length, width), parameter(1, length, width)
        self.encoder = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.decoder = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.encoder_norm, self.decoder_norm = nn.LayerNorm(width, eps=EPS), nn.LayerNorm(width, eps=EPS)
        self.between, self.mask = nn.Linear(width, width), parameter(1, 1, width)
        self.head_positions = parameter(1, tokens, width)
        self.head = Head(width, head_width, head_depth)

    def conditions(self, tokens, known, label):
        """Returns the conditioning vectors of all positions, `[2 * images, tokens, width]`, with the unconditional half last."""
        classes = torch.cat([self.classes(label), self.no_class.expand(len(label), -1)])
        x = torch.cat([tokens, tokens])
        batch, count, _ = x.shape
        x = torch.cat([classes[:, None].expand(-1, BUFFER, -1), self.embed(x)], dim=1) + self.encoder_positions
        x = self.norm(x)
        seen = torch.cat([torch.ones(BUFFER, dtype=torch.bool), known]).nonzero()[:, 0]
        x = x[:, seen]
        for block in self.encoder:
            x = block(x)
        x = self.between(self.encoder_norm(x))
        whole = self.mask.expand(batch, BUFFER + count, -1).clone()
        whole[:, seen] = x.to(whole.dtype)
        x = whole + self.decoder_positions
        for block in self.decoder:
            x = block(x)
        return self.decoder_norm(x)[:, BUFFER:] + self.head_positions


class Process:
    """The respaced diffusion process: its timesteps and their coefficients."""

    def __init__(self, steps, last=999):
        stride = last / (steps - 1) if steps > 1 else 0.0
        kept = sorted({round(stride * index) for index in range(steps)} if steps > 1 else {last})
        bar = lambda u: np.cos((u + 0.008) / 1.008 * np.pi / 2) ** 2
        index = np.arange(1000)
        all_bars = np.cumprod(1 - np.minimum(1 - bar((index + 1) / 1000) / bar(index / 1000), 0.999))
        bars = all_bars[kept]
        before = np.append(1.0, bars[:-1])
        betas = 1 - bars / before
        variance = betas * (1 - before) / (1 - bars)
        self.timesteps = kept
        self.log_beta = np.log(betas)
        self.log_variance = np.log(np.append(variance[1] if len(kept) > 1 else betas[0], variance[1:]))
        self.from_x, self.from_noise = np.sqrt(1 / bars), np.sqrt(1 / bars - 1)
        self.mean_start = betas * np.sqrt(before) / (1 - bars)
        self.mean_x = (1 - before) * np.sqrt(1 - betas) / (1 - bars)


def draw(head, z, process, guidance):
    """Draws token values `[rows, channels]` for conditioning vectors `[2 * rows, width]`."""
    rows = len(z) // 2
    x = torch.randn(rows, CHANNELS, dtype=z.dtype)
    for step in reversed(range(len(process.timesteps))):
        t = torch.full((2 * rows,), process.timesteps[step])
        noise, v = head(torch.cat([x, x]), t, z).float().chunk(2, dim=-1)
        x, v = x.float(), v[:rows]
        noise = noise[rows:] + guidance * (noise[:rows] - noise[rows:])
        start = float(process.from_x[step]) * x - float(process.from_noise[step]) * noise
        mean = float(process.mean_start[step]) * start + float(process.mean_x[step]) * x
        share = (v + 1) / 2
        log_variance = share * float(process.log_beta[step]) + (1 - share) * float(process.log_variance[step])
        x = mean + (torch.exp(log_variance / 2) * torch.randn_like(mean) if step else 0.0)
        x = x.to(z.dtype)
    return x


def convolution(inputs, outputs, side=3):
    return nn.Conv2d(inputs, outputs, side, padding=side // 2)


class Resnet(nn.Module):
    """A residual block of the autoencoder."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.norm1, self.norm2 = nn.GroupNorm(32, inputs, eps=EPS), nn.GroupNorm(32, outputs, eps=EPS)
        self.conv1, self.conv2 = convolution(inputs, outputs), convolution(outputs, outputs)
        self.short = convolution(inputs, outputs, 1) if inputs != outputs else nn.Identity()

    def forward(self, x):
        hidden = self.conv1(F.silu(self.norm1(x)))
        return self.short(x) + self.conv2(F.silu(self.norm2(hidden)))


class Attention(nn.Module):
    """Self-attention over the positions of a feature map."""

    def __init__(self, width):
        super().__init__()
        self.norm = nn.GroupNorm(32, width, eps=EPS)
        self.qkv, self.out = convolution(width, 3 * width, 1), convolution(width, width, 1)

    def forward(self, x):
        batch, width, height, columns = x.shape
        q, k, v = self.qkv(self.norm(x)).flatten(2).transpose(1, 2)[:, None].chunk(3, dim=-1)
        mixed = F.scaled_dot_product_attention(q, k, v)[:, 0].transpose(1, 2)
        return x + self.out(mixed.reshape(batch, width, height, columns))


class Upsample(nn.Module):
    """Nearest-neighbour upsampling by 2, then a convolution."""

    def __init__(self, width):
        super().__init__()
        self.conv = convolution(width, width)

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2.0, mode="nearest"))


def autoencoder():
    """The decoder of KL-16."""
    widths = [128, 128, 256, 256, 512]
    width = widths[-1]
    layers = [nn.Conv2d(CHANNELS, CHANNELS, 1), convolution(CHANNELS, width)]
    layers += [Resnet(width, width), Attention(width), Resnet(width, width)]
    for level in reversed(range(len(widths))):
        for _ in range(3):
            layers.append(Resnet(width, widths[level]))
            width = widths[level]
        if level:
            layers.append(Upsample(width))
    return nn.Sequential(*layers, nn.GroupNorm(32, width, eps=EPS), nn.SiLU(), convolution(width, 3))


def settle():
    """Waits for the asynchronous work of the device."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


class Clock:
    """Measures seconds by part."""

    def __init__(self):
        self.parts = {"transformer": 0.0, "head": 0.0, "decode": 0.0}

    def time(self, part, call):
        settle()
        started = time.perf_counter()
        result = call()
        settle()
        self.parts[part] += time.perf_counter() - started
        return result


def generate(model, decoder, plan, images, guidance):
    """Generates images; returns the seconds by part."""
    clock, dtype = Clock(), model.mask.dtype
    side = plan["grid"]["height"]
    count = side * plan["grid"]["width"]
    limit = plan["schedule"]["diffusion"].get("max_timestep", 999)
    order = torch.cat([torch.tensor(stage["tokens"]) for stage in plan["stages"]])
    tokens = torch.zeros(images, count, CHANNELS, dtype=dtype)
    known, done, label = torch.zeros(count, dtype=torch.bool), 0, torch.arange(images)
    for step in plan["steps"]:
        targets = order[done : done + step["tokens"]]
        done += step["tokens"]
        z = clock.time("transformer", lambda: model.conditions(tokens, known, label)[:, targets])
        width = z.shape[-1]
        scale = 1 + (guidance - 1) * (count - max(count - done, 1)) / count
        detail = step.get("detail", {"tokens": 0, "diffusion_steps": 1})
        groups = [(slice(detail["tokens"], None), step["diffusion_steps"])]
        if detail["tokens"]:
            groups.append((slice(0, detail["tokens"]), detail["diffusion_steps"]))
        for part, steps in groups:
            if len(targets[part]):
                rows = z[:, part].reshape(-1, width)
                values = clock.time("head", lambda: draw(model.head, rows, Process(steps, limit), scale))
                tokens[:, targets[part]] = values.reshape(images, -1, CHANNELS).to(dtype)
        known[targets] = True
    latents = tokens.transpose(1, 2).reshape(images, CHANNELS, side, -1).float() / 0.2325
    pictures = clock.time("decode", lambda: torch.cat([decoder(one[None]) for one in latents]))
    assert pictures.shape[1:] == (3, 16 * side, 16 * plan["grid"]["width"])
    return clock.parts


def matrix_rate(sides=(1024, 2048), times=12):
    """Returns the best rate of several square matrix products, in 10^9 operations per second."""
    best = 0.0
    for side in sides:
        a, b = torch.randn(side, side), torch.randn(side, side)
        for _ in range(times):
            started = time.perf_counter()
            a @ b
            settle()
            best = max(best, 2 * side**3 / (time.perf_counter() - started) / 1e9)
    return round(best, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", choices=SIZES, default="mar-b")
    parser.add_argument("--plan", help="a plan from `gtr-cli plan --format json`")
    parser.add_argument("--count", type=int, default=1, help="number of images per batch")
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--cfg", type=float, default=2.9)
    parser.add_argument("--dtype", choices=["f32", "bf16", "f16"], default="f32", help="data type of everything except the autoencoder")
    parser.add_argument("--autocast", choices=["bf16", "f16"], help="keep weights in f32 and cast products; LTH14/mar uses f16")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.set_default_device(arguments.device)
    torch.manual_seed(0)
    if not arguments.plan:
        print(json.dumps({"threads": arguments.threads, "matrix_product_gflops": matrix_rate()}))
        return
    with open(arguments.plan, encoding="utf-8") as file:
        plan = json.load(file)
    types = {"f32": torch.float32, "bf16": torch.bfloat16, "f16": torch.float16}
    dtype = types[arguments.dtype]
    tokens = plan["grid"]["height"] * plan["grid"]["width"]
    kind, cast_type = arguments.device.split(":")[0], types[arguments.autocast or "bf16"]
    cast = torch.autocast(kind, cast_type, enabled=arguments.autocast is not None)
    with torch.inference_mode(), cast:
        model, decoder = Mar(arguments.model, tokens).to(dtype).eval(), autoencoder().eval()
        rounds = [generate(model, decoder, plan, arguments.count, arguments.cfg) for _ in range(arguments.rounds)]
        rate = matrix_rate()
    median = lambda part: statistics.median(part(parts) for parts in rounds) / arguments.count
    report = {part: round(median(lambda parts: parts[part]), 3) for part in rounds[0]}
    report["seconds_per_image"] = round(median(lambda parts: sum(parts.values())), 3)
    names = ["model", "dtype", "autocast", "device", "threads"]
    setting = {name: getattr(arguments, name) for name in names}
    print(json.dumps({**setting, "torch": torch.__version__, "count": arguments.count, **report,
                      "matrix_product_gflops": rate}))


if __name__ == "__main__":
    main()
