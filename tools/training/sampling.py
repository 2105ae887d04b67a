"""Samples during training: random order, cosine pace, linear guidance."""

import math

import torch

from . import diffusion
from .network import pictures_of


@torch.no_grad()
def sample(model, labels, seed, guidance=3.0, steps=16, diffusion_steps=25, top=949):
    """Generates images [B, C, H, W] from -1 to 1 of the classes LABELS."""
    sizes, device = model.sizes, model.fake_latent.device
    generator = torch.Generator().manual_seed(seed)
    schedule = diffusion.Schedule(diffusion.spaced(diffusion_steps, top), device)
    count, length = len(labels), sizes.tokens
    order = torch.rand(count, length, generator=generator).argsort(dim=1).to(device)
    tokens = torch.zeros(count, length, sizes.token_width, device=device)
    labels = torch.cat([labels, labels]).to(device)
    classes = model.classes(labels, torch.arange(2 * count, device=device) >= count)
    known = 0
    for step in range(1, steps + 1):
        after = length if step == steps else length - max(1, math.floor(length * math.cos(math.pi / 2 * step / steps)))
        if after <= known:
            continue
        targets, now = order[:, known:after], order[:, :known].sort(dim=1).values
        z = model.condition(torch.cat([tokens, tokens]), torch.cat([now, now]), classes)
        z = torch.gather(z, 1, torch.cat([targets, targets])[:, :, None].expand(-1, -1, sizes.width)).flatten(0, 1)
        scale = 1 + (guidance - 1) * min(after, length - 1) / length
        half = len(z) // 2

        def normal(rows=half):
            return torch.randn(rows, sizes.token_width, generator=generator).to(device)

        values = diffusion.draw(model.diffloss.net, z[:half], z[half:], scale, schedule, normal)
        values = values.reshape(count, -1, sizes.token_width)
        tokens.scatter_(1, targets[:, :, None].expand(-1, -1, sizes.token_width), values)
        known = after
    return pictures_of(tokens, sizes).clamp(-1, 1)


def sheet(model, path, each=8, **how):
    """Writes a sheet of images to PATH, one row per class: the first images of seed 0, not selected."""
    from PIL import Image

    classes = min(model.sizes.classes, 10)
    pictures = sample(model, torch.arange(classes).repeat_interleave(each), seed=0, **how)
    channels, height, width = pictures.shape[1:]
    rows = pictures.reshape(classes, each, channels, height, width).permute(0, 3, 1, 4, 2)
    values = ((rows + 1) * 127.5).round().byte().reshape(classes * height, each * width, channels).cpu().numpy()
    new = path.with_name(path.name + ".new")
    Image.fromarray(values[..., 0] if channels == 1 else values).save(new, format="PNG")
    new.replace(path)
