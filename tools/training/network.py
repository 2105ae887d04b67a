"""The network of MAR in PyTorch, with the parameter names and shapes of the published checkpoints."""

import math
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

EPS = 1e-6


@dataclass(frozen=True)
class Sizes:
    """The sizes that determine the shapes of all parameters."""

    grid: int = 8
    patch: int = 4
    channels: int = 1
    classes: int = 10
    width: int = 128
    depth: int = 4
    heads: int = 4
    buffer: int = 16
    head_width: int = 256
    head_depth: int = 3

    @property
    def tokens(self):
        return self.grid * self.grid

    @property
    def token_width(self):
        return self.channels * self.patch * self.patch

    @property
    def picture(self):
        return (self.grid * self.patch, self.grid * self.patch)


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = self.qkv(x).reshape(batch, length, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
        mixed = attention(q, k, v)
        return self.proj(mixed.transpose(1, 2).reshape(batch, length, width))


def attention(q, k, v):
    """Returns softmax(q k^T / sqrt(D)) v for q, k and v of shape [B, H, L, D]."""
    if q.device.type == "cpu" and q.dtype == torch.bfloat16:
        # The backward pass of the fused function takes several times as long as three plain products here.
        return ((q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)).softmax(dim=-1).to(v.dtype) @ v
    return F.scaled_dot_product_attention(q, k, v)


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=EPS)
        self.attn = Attention(width, heads)
        self.norm2 = nn.LayerNorm(width, eps=EPS)
        self.mlp = Mlp(width)

    def forward(self, x):
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class TimestepEmbedding(nn.Module):
    WAVES = 128

    def __init__(self, width):
        super().__init__()
        self.mlp = nn.Sequential(nn.Linear(2 * self.WAVES, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, timesteps):
        steps = torch.arange(self.WAVES, dtype=torch.float32, device=timesteps.device)
        angles = timesteps[:, None].float() * torch.exp(-math.log(10_000.0) * steps / self.WAVES)
        return self.mlp(torch.cat([angles.cos(), angles.sin()], dim=-1))


class ResidualBlock(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.in_ln = nn.LayerNorm(width, eps=EPS)
        self.mlp = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 3 * width))

    def forward(self, x, y):
        shift, scale, gate = self.adaLN_modulation(y).chunk(3, dim=-1)
        return x + gate * self.mlp(self.in_ln(x) * (1 + scale) + shift)


class FinalLayer(nn.Module):
    def __init__(self, width, out):
        super().__init__()
        self.norm_final = nn.LayerNorm(width, elementwise_affine=False, eps=EPS)
        self.linear = nn.Linear(width, out)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x, y):
        shift, scale = self.adaLN_modulation(y).chunk(2, dim=-1)
        return self.linear(self.norm_final(x) * (1 + scale) + shift)


class Head(nn.Module):
    """The network of the diffusion head: predicts noise and variance of tokens [R, D] at timesteps [R], given conditions [R, E]."""

    def __init__(self, sizes):
        super().__init__()
        width = sizes.head_width
        self.time_embed = TimestepEmbedding(width)
        self.cond_embed = nn.Linear(sizes.width, width)
        self.input_proj = nn.Linear(sizes.token_width, width)
        self.res_blocks = nn.ModuleList(ResidualBlock(width) for _ in range(sizes.head_depth))
        self.final_layer = FinalLayer(width, 2 * sizes.token_width)

    def forward(self, x, timesteps, condition):
        y = self.time_embed(timesteps) + self.cond_embed(condition)
        # Half precision would round away the small noise of the first timesteps.
        with torch.autocast(x.device.type, enabled=False):
            x = self.input_proj(x)
        for block in self.res_blocks:
            x = block(x, y)
        with torch.autocast(x.device.type, enabled=False):
            return self.final_layer(x, y.float())


class DiffusionLoss(nn.Module):
    """Wrapper that gives the head its published name, `diffloss.net`."""

    def __init__(self, sizes):
        super().__init__()
        self.net = Head(sizes)


class Mar(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.sizes = sizes
        width, tokens, buffer = sizes.width, sizes.tokens, sizes.buffer
        self.class_emb = nn.Embedding(sizes.classes, width)
        self.fake_latent = _small(1, width)
        self.z_proj = nn.Linear(sizes.token_width, width)
        self.z_proj_ln = nn.LayerNorm(width, eps=EPS)
        self.encoder_pos_embed_learned = _small(1, tokens + buffer, width)
        self.encoder_blocks = nn.ModuleList(Block(width, sizes.heads) for _ in range(sizes.depth))
        self.encoder_norm = nn.LayerNorm(width, eps=EPS)
        self.decoder_embed = nn.Linear(width, width)
        self.mask_token = _small(1, 1, width)
        self.decoder_pos_embed_learned = _small(1, tokens + buffer, width)
        self.decoder_blocks = nn.ModuleList(Block(width, sizes.heads) for _ in range(sizes.depth))
        self.decoder_norm = nn.LayerNorm(width, eps=EPS)
        self.diffusion_pos_embed_learned = _small(1, tokens, width)
        self.diffloss = DiffusionLoss(sizes)
        self._initialise()

    def _initialise(self):
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        nn.init.normal_(self.class_emb.weight, std=0.02)
        head = self.diffloss.net
        for block in head.res_blocks:
            nn.init.zeros_(block.adaLN_modulation[1].weight)
        nn.init.zeros_(head.final_layer.adaLN_modulation[1].weight)
        nn.init.zeros_(head.final_layer.linear.weight)

    def classes(self, labels, dropped=None):
        """Returns class embeddings [B, E]; for true entries of DROPPED [B], the embedding of no class."""
        embedded = self.class_emb(labels)
        return embedded if dropped is None else torch.where(dropped[:, None], self.fake_latent, embedded)

    def condition(self, tokens, known, classes):
        """Returns conditions [B, L, E] of all positions; KNOWN [B, K] are the positions of the known TOKENS [B, L, D]."""
        batch, length, _ = tokens.shape
        buffer, width = self.sizes.buffer, self.sizes.width
        x = self.z_proj(tokens)
        x = torch.cat([classes[:, None].expand(batch, buffer, width).to(x.dtype), x], dim=1)
        x = self.z_proj_ln(x + self.encoder_pos_embed_learned)
        kept = torch.cat([torch.arange(buffer, device=known.device).expand(batch, buffer), known + buffer], dim=1)
        kept = kept[:, :, None].expand(-1, -1, width)
        x = torch.gather(x, 1, kept)
        for block in self.encoder_blocks:
            x = block(x)
        x = self.decoder_embed(self.encoder_norm(x))
        x = self.mask_token.to(x.dtype).expand(batch, length + buffer, width).scatter(1, kept, x)
        x = x + self.decoder_pos_embed_learned
        for block in self.decoder_blocks:
            x = block(x)
        return self.decoder_norm(x)[:, buffer:] + self.diffusion_pos_embed_learned


def _small(*shape):
    return nn.Parameter(torch.randn(*shape) * 0.02)


def tokens_of(pictures, sizes):
    """Converts images [B, C, H, W] to tokens [B, L, D]; the values of a token are ordered (channel, row, column) in its patch."""
    grid, patch = sizes.grid, sizes.patch
    x = pictures.reshape(-1, sizes.channels, grid, patch, grid, patch)
    return torch.einsum("nchpwq->nhwcpq", x).reshape(-1, sizes.tokens, sizes.token_width)


def pictures_of(tokens, sizes):
    """Converts tokens back to images; the inverse of `tokens_of`."""
    grid, patch = sizes.grid, sizes.patch
    x = tokens.reshape(-1, grid, grid, sizes.channels, patch, patch)
    return torch.einsum("nhwcpq->nchpwq", x).reshape(-1, sizes.channels, *sizes.picture)
