"""A small MAR model in PyTorch, with the method and tensor names of the published code.

Examples and tests use it in place of the official object, whose code they cannot include. `load` reads a folder with the layout
of `models/mar-digits`.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

EPS = 1e-6


class Mlp(nn.Module):
    def __init__(self, width: int, ratio: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, ratio * width), nn.Linear(ratio * width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(x)))


class Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.proj = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, length, 3, self.heads, -1).permute(2, 0, 3, 1, 4)
        return self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    def __init__(self, width: int, heads: int, ratio: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width, eps=EPS), nn.LayerNorm(width, eps=EPS)
        self.attn, self.mlp = Attention(width, heads), Mlp(width, ratio)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TimestepEmbedder(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(256, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, t: Tensor) -> Tensor:
        frequencies = torch.exp(-math.log(10_000) * torch.arange(128, device=t.device) / 128)
        angles = t[:, None].float() * frequencies
        return self.mlp(torch.cat([angles.cos(), angles.sin()], dim=-1))


class ResBlock(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.in_ln = nn.LayerNorm(width, eps=EPS)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 3 * width))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        shift, scale, gate = self.adaLN_modulation(y).chunk(3, dim=-1)
        return x + gate * self.mlp(self.in_ln(x) * (1 + scale) + shift)


class FinalLayer(nn.Module):
    def __init__(self, width: int, channels: int) -> None:
        super().__init__()
        self.norm_final = nn.LayerNorm(width, eps=EPS, elementwise_affine=False)
        self.linear = nn.Linear(width, channels)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        shift, scale = self.adaLN_modulation(y).chunk(2, dim=-1)
        return self.linear(self.norm_final(x) * (1 + scale) + shift)


class Net(nn.Module):
    """The network of the diffusion head."""

    def __init__(self, channels: int, condition: int, width: int, depth: int) -> None:
        super().__init__()
        self.in_channels = channels
        self.time_embed = TimestepEmbedder(width)
        self.cond_embed, self.input_proj = nn.Linear(condition, width), nn.Linear(channels, width)
        self.res_blocks = nn.ModuleList(ResBlock(width) for _ in range(depth))
        self.final_layer = FinalLayer(width, 2 * channels)

    def forward(self, x: Tensor, t: Tensor, c: Tensor) -> Tensor:
        x, y = self.input_proj(x), self.time_embed(t) + self.cond_embed(c)
        for block in self.res_blocks:
            x = block(x, y)
        return self.final_layer(x, y)

    def forward_with_cfg(self, x: Tensor, t: Tensor, c: Tensor, cfg_scale: float | Tensor) -> Tensor:
        half = x[: len(x) // 2]
        noise, variance = self.forward(torch.cat([half, half]), t, c).split(self.in_channels, dim=-1)
        with_class, without = noise.chunk(2)
        guided = without + cfg_scale * (with_class - without)
        return torch.cat([torch.cat([guided, guided]), variance], dim=-1)


class DiffLoss(nn.Module):
    def __init__(self, *sizes: int) -> None:
        super().__init__()
        self.net = Net(*sizes)


class Mar(nn.Module):
    """A masked autoregressive model for a square or rectangular grid; encoder and decoder have the same width."""

    def __init__(
        self,
        grid: tuple[int, int],
        *,
        width: int = 32,
        heads: int = 4,
        depth: int = 2,
        ratio: int = 4,
        channels: int = 16,
        patch: int = 1,
        classes: int = 10,
        buffer: int = 8,
        head_width: int = 32,
        head_depth: int = 2,
    ) -> None:
        super().__init__()
        self.seq_h, self.seq_w = grid
        self.patch_size, self.vae_embed_dim, self.buffer_size = patch, channels, buffer
        tokens, values = grid[0] * grid[1], channels * patch**2
        self.class_emb, self.fake_latent = nn.Embedding(classes, width), _parameter(1, width)
        self.z_proj, self.z_proj_ln = nn.Linear(values, width), nn.LayerNorm(width, eps=EPS)
        self.encoder_pos_embed_learned = _parameter(1, tokens + buffer, width)
        self.encoder_blocks = nn.ModuleList(Block(width, heads, ratio) for _ in range(depth))
        self.encoder_norm = nn.LayerNorm(width, eps=EPS)
        self.decoder_embed, self.mask_token = nn.Linear(width, width), _parameter(1, 1, width)
        self.decoder_pos_embed_learned = _parameter(1, tokens + buffer, width)
        self.decoder_blocks = nn.ModuleList(Block(width, heads, ratio) for _ in range(depth))
        self.decoder_norm = nn.LayerNorm(width, eps=EPS)
        self.diffusion_pos_embed_learned = _parameter(1, tokens, width)
        self.diffloss = DiffLoss(values, width, head_width, head_depth)

    def forward_mae_encoder(self, x: Tensor, mask: Tensor, class_embedding: Tensor) -> Tensor:
        x = self.z_proj(x)
        batch, _, width = x.shape
        x = torch.cat([class_embedding[:, None].expand(-1, self.buffer_size, -1), x], dim=1)
        x = self.z_proj_ln(x + self.encoder_pos_embed_learned)
        x = x[self._seen(mask)].reshape(batch, -1, width)
        for block in self.encoder_blocks:
            x = block(x)
        return self.encoder_norm(x)

    def forward_mae_decoder(self, x: Tensor, mask: Tensor) -> Tensor:
        x, seen = self.decoder_embed(x), self._seen(mask)
        whole = self.mask_token.to(x.dtype).repeat(*seen.shape, 1)
        whole[seen] = x.reshape(-1, x.shape[-1])
        x = whole + self.decoder_pos_embed_learned
        for block in self.decoder_blocks:
            x = block(x)
        return self.decoder_norm(x)[:, self.buffer_size :] + self.diffusion_pos_embed_learned

    def _seen(self, mask: Tensor) -> Tensor:
        buffer = torch.ones(len(mask), self.buffer_size, dtype=torch.bool, device=mask.device)
        return torch.cat([buffer, mask == 0], dim=1)

    def patchify(self, x: Tensor) -> Tensor:
        side = self.patch_size
        x = x.reshape(len(x), -1, self.seq_h, side, self.seq_w, side)
        return x.permute(0, 2, 4, 1, 3, 5).reshape(len(x), self.seq_h * self.seq_w, -1)

    def unpatchify(self, x: Tensor) -> Tensor:
        side = self.patch_size
        x = x.reshape(len(x), self.seq_h, self.seq_w, self.vae_embed_dim, side, side)
        return x.permute(0, 3, 1, 4, 2, 5).reshape(len(x), self.vae_embed_dim, self.seq_h * side, self.seq_w * side)


def _parameter(*shape: int) -> nn.Parameter:
    return nn.Parameter(torch.randn(shape) * 0.02)


def load(folder: Path) -> Mar:
    """Loads the digits model, or another model in its layout; needs the package `safetensors`."""
    from safetensors.torch import load_file

    config = json.loads((folder / "config.json").read_text())
    model = Mar(
        tuple(config["grid"]),
        width=config["encoder_embed_dim"],
        heads=config["encoder_num_heads"],
        depth=config["encoder_depth"],
        ratio=config["mlp_ratio"],
        channels=config["vae_embed_dim"],
        patch=config["patch_size"],
        classes=config["class_num"],
        buffer=config["buffer_size"],
        head_width=config["diffloss_w"],
        head_depth=config["diffloss_d"],
    )
    # The folder may also contain a field for losses.
    weights = next(file for file in sorted(folder.glob("*.safetensors")) if file.name != "field.safetensors")
    model.load_state_dict({name: tensor.float() for name, tensor in load_file(weights).items()})
    model.max_timestep = config["max_timestep"]
    return model.eval()
