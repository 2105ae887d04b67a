"""Writes models in the layout of gtr-cli: weights, configuration and model card."""

import json
import os
from pathlib import Path

import torch
from safetensors.torch import save

from .network import Sizes
from .training import model_of


def write(path, content):
    """Writes bytes or text to PATH atomically."""
    path = Path(path)
    new = path.with_name(path.name + ".new")
    with open(new, "wb") as file:
        file.write(content.encode() if isinstance(content, str) else content)
        file.flush()
        os.fsync(file.fileno())
    os.replace(new, path)


def configuration(sizes, name, top, guidance, class_names=None):
    """Returns the content of `config.json`: the sizes and the sampling defaults."""
    config = {
        "model": name,
        "grid": [sizes.grid, sizes.grid],
        "patch_size": sizes.patch,
        "vae_embed_dim": sizes.channels,
        "token_embed_dim": sizes.token_width,
        "image": list(sizes.picture),
        "encoder_embed_dim": sizes.width,
        "encoder_depth": sizes.depth,
        "encoder_num_heads": sizes.heads,
        "decoder_embed_dim": sizes.width,
        "decoder_depth": sizes.depth,
        "decoder_num_heads": sizes.heads,
        "mlp_ratio": 4,
        "buffer_size": sizes.buffer,
        "class_num": sizes.classes,
        "diffloss_d": sizes.head_depth,
        "diffloss_w": sizes.head_width,
        "layer_norm_eps": 1e-06,
        "noise_schedule": "cosine",
        "diffusion_steps": 1000,
        "max_timestep": top,
        "cfg": guidance,
        "cfg_schedule": "linear",
        "latent_scale": 1.0,
        "decoder": "identity: token channels are (row in patch, column in patch), pixel = clamp((x + 1) / 2, 0, 1)",
    }
    if class_names:
        config["class_names"] = class_names
    return config


def sizes_of(config):
    """Returns the sizes in a `config.json`."""
    return Sizes(
        grid=config["grid"][0],
        patch=config["patch_size"],
        channels=config["vae_embed_dim"],
        classes=config["class_num"],
        width=config["encoder_embed_dim"],
        depth=config["encoder_depth"],
        heads=config["encoder_num_heads"],
        buffer=config["buffer_size"],
        head_width=config["diffloss_w"],
        head_depth=config["diffloss_d"],
    )


def pack(state, folder, name, top, guidance, class_names, source, licence, command):
    """Writes the averaged weights of a training state to FOLDER, in half precision, with configuration and model card."""
    model = model_of(state)
    sizes, recipe = model.sizes, state["recipe"]
    config = configuration(sizes, name, top, guidance, class_names)
    weights = {key: value.half().contiguous() for key, value in model.state_dict().items()}
    unfit = [key for key, value in weights.items() if not torch.isfinite(value).all()]
    if unfit:
        raise ValueError(f"{unfit[0]} has values outside the range of half precision: the training has diverged")
    # Only one entry: the library writes several in arbitrary order, and equal weights must have equal bytes.
    content = save(weights, metadata={"format": "pt"})
    folder.mkdir(parents=True, exist_ok=True)
    # Written last, because the folder counts as a model once it has the configuration.
    write(folder / f"{name}.safetensors", content)
    write(folder / "README.md", card(name, sizes, recipe, state, len(content), source, licence, command))
    write(folder / "config.json", json.dumps(config, indent=1) + "\n")


def card(name, sizes, recipe, state, length, source, licence, command):
    count = sum(value.numel() for value in state["average"].values())
    colours = {1: "grey"}.get(sizes.channels, f"{sizes.channels}-channel")
    weighting = (
        "unweighted noise error"
        if recipe["weight_cap"] <= 1
        else f"noise error weighted by 1 / kept(t), at most {recipe['weight_cap']:g}"
    )
    return f"""# {name}: a small masked autoregressive model

{count:,} parameters, f16 on disk ({length / 1e6:.1f} MB). {sizes.grid}x{sizes.grid} tokens of {sizes.patch}x{sizes.patch} pixels,
{sizes.picture[0]}x{sizes.picture[1]} {colours} images, {sizes.classes} classes. Architecture and tensor names are those of the published MAR
(arXiv 2406.11838, LTH14/mar). `config.json` has the sizes: encoder and decoder with {sizes.depth} blocks of width {sizes.width} and
{sizes.heads} heads, {sizes.buffer} class tokens, a diffusion head with {sizes.head_depth} blocks of width {sizes.head_width}, learned variance, cosine schedule.

## Training

- Data: {state["pictures"][0]:,} images of {state["pictures"][2]}x{state["pictures"][3]} pixels, {source}, randomly shifted by up to {recipe["shift"]} pixels.
- Licence of the data: {licence}.
- {state["step"]:,} of {recipe["steps"]:,} steps of {recipe["batch"]} images in {state["seconds"] / 3600:.1f} hours. AdamW, highest learning rate {recipe["rate"]:g},
  decay over the last {100 * recipe["cooldown"]:g} % of the steps; weight decay {recipe["decay"]:g}; gradient norm clipped at {recipe["clip"]:g}.
- Masks: `{recipe["masks"]}`. Class dropped for {100 * recipe["drop"]:g} % of the images. {recipe["rows"]} denoised tokens per image and step, timesteps up to {recipe["top"]}, {weighting};
  weight of the variational bound of the variance {recipe["variance_weight"]:g}.
- Exponential moving average of the weights ({recipe["average"]:g}). Seed {recipe["seed"]}.

```sh
{command}
```
"""
