"""`gtr.torch.sample`: comparison with gtr-cli and with a plain loop, and errors."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import gtr
from conftest import PRESETS, mar_model

pytestmark = [pytest.mark.torch, pytest.mark.usefixtures("torch")]

# Like `models/mar-digits/config.json`: tokens of 16 channels are patches of a grey image.
CONFIG = {
    "model": "small",
    "grid": [8, 8],
    "patch_size": 4,
    "vae_embed_dim": 1,
    "token_embed_dim": 16,
    "image": [32, 32],
    "encoder_embed_dim": 32,
    "encoder_depth": 2,
    "encoder_num_heads": 4,
    "decoder_embed_dim": 32,
    "decoder_depth": 2,
    "decoder_num_heads": 4,
    "mlp_ratio": 4,
    "buffer_size": 8,
    "class_num": 10,
    "diffloss_d": 2,
    "diffloss_w": 32,
    "layer_norm_eps": 1e-06,
    "noise_schedule": "cosine",
    "diffusion_steps": 1000,
    "latent_scale": 1.0,
    "decoder": "identity: token channels are (row in patch, column in patch), pixel = clamp((x + 1) / 2, 0, 1)",
}

PLANS = {
    "fts": ["--preset", "gtr-16", "--max-timestep", "900"],
    "random picks": ["--preset", "gtr-16", "--detail", "random", "--max-timestep", "900"],
    "low frequency": ["--preset", "gtr-8", "--detail", "low-frequency", "--max-timestep", "900"],
    "annealed": ["--preset", "disa-16"],
    "guided late": ["--preset", "gtr-8", "--guidance", "interval", "--guided-from", "0.3", "--max-timestep", "900"],
    "halton": ["--preset", "halton-8", "--diffusion", "constant", "--t", "8", "--max-timestep", "900"],
}


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory, torch: Any) -> tuple[Any, Path]:
    """Returns a model, and a folder with its weights in the layout of the published code."""
    import mar

    torch.manual_seed(0)
    model = mar.Mar((8, 8), channels=1, patch=4).eval()
    folder = tmp_path_factory.mktemp("model")
    torch.save({"model_ema": model.state_dict(), "epoch": 1}, folder / "checkpoint-last.pth")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return model, folder


@pytest.mark.cli
@pytest.mark.parametrize("flags", PLANS.values(), ids=PLANS.keys())
@pytest.mark.parametrize("guidance", [(2.9, "linear"), (1.0, "linear"), (4.0, "constant")])
def test_a_traced_run_is_reproduced(
    cli: Callable[..., str], saved: tuple[Any, Path], tmp_path: Path, flags: list[str], guidance: tuple[float, str]
) -> None:
    import gtr.torch
    import gtr.trace

    (model, folder), (cfg, schedule) = saved, guidance
    out = tmp_path / "run.safetensors"
    settings = ["--cfg", cfg, "--cfg-schedule", schedule, "--temperature", "0.9", "--seed", 5]
    cli("sample", "--model", folder, "--class", "3,7", *flags, *settings, "--trace", out, "--out", tmp_path / "run.png")
    trace = gtr.trace.Trace(out)
    batch = trace.batch()
    steps: list[gtr.torch.Step] = []
    gtr.torch.sample(
        model,
        trace.plan,
        labels=batch.labels.tolist(),
        cfg=trace.cfg,
        cfg_schedule=trace.cfg_schedule,
        temperature=trace.temperature,
        seed=trace.seed,
        images=batch.images.tolist(),
        noise=batch.noise,
        callback=steps.append,
    )
    scale = np.abs(batch.tokens).max()
    assert len(steps) == len(trace.plan.steps)
    for index, step in enumerate(steps):
        targets = batch.tensor(f"step{index}.targets")
        order = np.argsort(targets, axis=1)
        assert np.array_equal(step.tokens, np.take_along_axis(targets, order, axis=1))
        groups = np.take_along_axis(batch.tensor(f"step{index}.groups"), order, axis=1)
        assert np.array_equal(step.picked, groups == 1)
        assert step.guidance == batch.tensor(f"step{index}.guidance")[0]
        sampled = batch.tensor(f"step{index}.sampled").reshape(*targets.shape, -1)
        sampled = np.take_along_axis(sampled, order[..., None], axis=1)
        assert np.abs(step.values.numpy() - sampled).max() <= 1e-4 * scale, f"step {index}"
    assert np.abs(steps[-1].canvas.numpy() - batch.tokens).max() <= 1e-4 * scale
    # The seed alone determines the noise and the orders.
    asked = {"labels": batch.labels.tolist(), "cfg": cfg, "cfg_schedule": schedule, "temperature": 0.9, "seed": 5}
    again = gtr.torch.sample(model, trace.plan, **asked)
    assert np.abs(model.patchify(again).numpy() - batch.tokens).max() <= 1e-4 * scale


@pytest.mark.parametrize("preset", [name for name in PRESETS if "reuse" not in gtr.plan(name).schedule])
def test_every_preset_agrees_with_a_plain_loop(torch: Any, model: Any, preset: str) -> None:
    import bare
    import gtr.torch

    plan = gtr.plan(preset, grid=(4, 4), diffusion={"kind": "constant", "t": 6}, detail="none", max_timestep=900)
    asked = {"labels": [3, 7], "cfg": 2.0, "seed": 4}

    def draw(tokens: np.ndarray, count: int, channels: int) -> Any:
        images = np.repeat([0, 1], tokens.shape[1])
        return torch.from_numpy(gtr.noises(4, images, tokens.ravel(), count, channels))

    with torch.no_grad():
        expected = bare.sample(model, plan, [3, 7], 2.0, plan.orders(4, range(2)), draw)
    found = gtr.torch.sample(model, plan, **asked)
    assert torch.isfinite(found).all()
    assert (found - expected).abs().max() <= 1e-4 * expected.abs().max()
    # The unmodified preset, with its detail rule.
    assert gtr.torch.sample(model, gtr.plan(preset, grid=(4, 4)), **asked).shape == found.shape


def test_an_image_does_not_depend_on_its_batch(torch: Any, model: Any) -> None:
    import gtr.torch

    plan = gtr.plan("gtr-8", grid=(4, 4), diffusion={"t_max": 8, "t_min": 4, "t_rec": 4}, detail={"t_detail": 8})
    together = gtr.torch.sample(model, plan, labels=[1, 2, 3], cfg=2.0, images=[5, 0, 9])
    alone = gtr.torch.sample(model, plan, labels=[3], cfg=2.0, first_image=9)
    assert (together[2:] - alone).abs().max() <= 1e-5 * together.abs().max()
    assert not torch.allclose(gtr.torch.sample(model, plan, labels=[3], cfg=2.0, first_image=8), alone)
    assert not torch.allclose(gtr.torch.sample(model, plan, labels=[3], cfg=2.0, first_image=9, seed=1), alone)


def test_merged_chains_equal_separate_chains(torch: Any, model: Any) -> None:
    """A row with fewer timesteps joins the others and gets the same values as alone."""
    from gtr.torch._head import Conditions, Group, denoise
    from gtr.torch._process import process

    torch.manual_seed(3)
    chains = [process(tuple(gtr.timesteps(steps, max_timestep=900).tolist())) for steps in (9, 4)]
    z = torch.randn(2, 5, 32)
    noises = [torch.randn(len(chain), rows, 4) for chain, rows in zip(chains, (2, 3), strict=True)]
    groups = [Group(chain, noise.shape[1], noise) for chain, noise in zip(chains, noises, strict=True)]
    with torch.no_grad():
        together = denoise(model.diffloss.net, groups, Conditions(*z), 2.0, 1.0, torch.float32)
        for group, rows in zip(groups, (slice(0, 2), slice(2, 5)), strict=True):
            given = Conditions(z[0, rows], z[1, rows])
            alone = denoise(model.diffloss.net, [group], given, 2.0, 1.0, torch.float32)
            assert (together[rows] - alone).abs().max() < 1e-5


def test_known_tokens_stay(torch: Any, model: Any) -> None:
    import gtr.torch

    plan = gtr.plan("gtr-8", grid=(4, 4), known=range(8))
    init = torch.randn(2, 4, 4, 4)
    made = gtr.torch.sample(model, plan, labels=[1, 2], init=init)
    assert torch.equal(made[:, :, :2], init[:, :, :2])
    assert not torch.allclose(made[:, :, 2:], init[:, :, 2:])
    with pytest.raises(ValueError, match="the plan has 8 known tokens: give init"):
        gtr.torch.sample(model, plan, labels=[1, 2])
    with pytest.raises(ValueError, match="the plan has no known tokens"):
        gtr.torch.sample(model, gtr.plan("gtr-8", grid=(4, 4)), labels=[1, 2], init=init)
    with pytest.raises(ValueError, match="init has tokens of shape"):
        gtr.torch.sample(model, plan, labels=[1, 2, 3], init=init)


def test_noise_of_torch_follows_its_generator(torch: Any, model: Any) -> None:
    import gtr.torch

    plan = gtr.plan("mar-8", grid=(4, 4), diffusion={"kind": "constant", "t": 5})

    def run(seed: int) -> Any:
        generator = torch.Generator().manual_seed(seed)
        return gtr.torch.sample(model, plan, labels=[1], cfg=2.0, noise="torch", generator=generator)

    assert torch.equal(run(1), run(1))
    assert not torch.equal(run(1), run(2))


def test_lower_precision_is_close(torch: Any, model: Any) -> None:
    import gtr.torch

    plan = gtr.plan("gtr-8", grid=(4, 4), diffusion={"kind": "constant", "t": 8}, detail="none")
    exact = gtr.torch.sample(model, plan, labels=[1, 2], cfg=2.0)
    with torch.autocast("cpu", torch.bfloat16):
        near = gtr.torch.sample(model, plan, labels=[1, 2], cfg=2.0)
    half = gtr.torch.sample(model.bfloat16(), plan, labels=[1, 2], cfg=2.0)
    for found in (near, half):
        assert not torch.equal(found, exact)
        assert (found - exact).abs().mean() <= 0.1 * exact.abs().mean()


def test_a_compiled_model_gives_the_same_result(torch: Any, model: Any) -> None:
    import gtr.torch

    plan = gtr.plan("gtr-8", grid=(4, 4), diffusion={"kind": "constant", "t": 4}, detail="none")
    exact = gtr.torch.sample(model, plan, labels=[1], cfg=2.0)
    # PyTorch traces the graph and runs it itself: no compiler is needed.
    compiled = torch.compile(model.diffloss.net.forward_with_cfg, backend="aot_eager", dynamic=True)
    model.diffloss.net.forward_with_cfg = compiled
    model.forward_mae_decoder = torch.compile(model.forward_mae_decoder, backend="aot_eager")
    found = gtr.torch.sample(model, plan, labels=[1], cfg=2.0)
    assert (found - exact).abs().max() <= 1e-4 * exact.abs().max()


def test_a_cuda_device_if_available(torch: Any, model: Any) -> None:
    import gtr.torch

    if not torch.cuda.is_available():
        pytest.skip("there is no CUDA device")
    plan = gtr.plan("gtr-8", grid=(4, 4))
    exact = gtr.torch.sample(model, plan, labels=[1, 2], cfg=2.0)
    found = gtr.torch.sample(model.cuda(), plan, labels=[1, 2], cfg=2.0)
    assert found.device.type == "cuda"
    assert (found.cpu() - exact).abs().max() <= 1e-3 * exact.abs().max()


def test_errors_of_wrong_arguments(torch: Any, model: Any) -> None:
    import gtr.torch
    import mar

    plan = gtr.plan("gtr-8", grid=(4, 4))
    error = gtr.torch.ModelError

    def refused(kind: type[Exception], message: str, subject: Any = model, plan: gtr.Plan = plan, **asked: Any) -> None:
        with pytest.raises(kind, match=message):
            gtr.torch.sample(subject, plan, **{"labels": [1], **asked})

    message = "the plan is for a grid of 8x8, but the model has a grid of 4x4"
    refused(error, message, plan=gtr.plan("gtr-8", grid=(8, 8)))
    refused(error, "Linear is not a MAR model: it lacks `forward_mae_encoder`", subject=torch.nn.Linear(1, 1))
    refused(error, "this model is class-conditional", texts=torch.zeros(1, 2, 3))
    refused(error, "training mode", subject=mar_model(torch, mar, (4, 4)).train())
    refused(ValueError, "there is no class 10: choose one of 0 to 9", labels=[10])
    refused(TypeError, "labels must be integers", labels=[1.5])
    refused(ValueError, "there are 1 labels for 2 images", count=2)
    refused(ValueError, "there are no labels", labels=[])
    refused(ValueError, "there are 2 image numbers for 1 images", images=[1, 2])
    refused(ValueError, "the number of an image must be", first_image=-1)
    refused(ValueError, "a guidance scale must be", cfg=float("nan"))
    refused(ValueError, "a temperature must be 0 to 100", temperature=-1)
    refused(ValueError, "noise must be `gtr`, `torch`", noise="white")
    refused(ValueError, "generator needs noise=", generator=torch.Generator())
    refused(ValueError, "the plan sets solver `ddim`", plan=gtr.plan("gtr-8", grid=(4, 4), solver="ddim"))
    refused(ValueError, "the plan sets reuse `lazymar`", plan=gtr.plan("gtr-8", grid=(4, 4), reuse="lazymar"))
    for axis in {axis for axis, default in gtr._gtr.axes().items() if default is not None} - {"guidance"}:
        kind = next(it.kind for it in gtr.schedulers(axis) if it.kind != gtr._gtr.axes()[axis])
        plan = gtr.plan("gtr-8", grid=(4, 4), **{axis: kind})
        refused(ValueError, f"the plan sets {axis} `{kind}`", plan=plan)
    refused(ValueError, "orders must have the shape", orders=[[0, 1]])
    refused(ValueError, "orders must contain each token of stage 1 once", orders=[list(range(16))])
    part = mar_model(torch, mar, (4, 4))
    del part.class_emb
    refused(error, "it lacks `class_emb`", subject=part)


def test_values_that_are_not_finite_are_an_error(torch: Any, model: Any) -> None:
    import gtr.torch

    plan = gtr.plan("gtr-8", grid=(4, 4))
    with torch.no_grad():
        model.diffloss.net.final_layer.linear.bias[0] = float("nan")
    with pytest.raises(gtr.torch.SampleError, match=r"token \d+ of image 7 is not finite after AR step 1 of \d"):
        gtr.torch.sample(model, plan, labels=[1], first_image=7)


def test_an_exception_in_a_callback_ends_only_the_run(torch: Any, model: Any) -> None:
    import gtr.torch

    plan = gtr.plan("gtr-8", grid=(4, 4))
    seen = []

    def stop(step: gtr.torch.Step) -> None:
        seen.append(step.index)
        if step.index == 1:
            raise KeyError("enough")

    before = gtr.torch.sample(model, plan, labels=[1])
    with pytest.raises(KeyError, match="enough"):
        gtr.torch.sample(model, plan, labels=[1], callback=stop)
    assert seen == [0, 1]
    assert torch.equal(gtr.torch.sample(model, plan, labels=[1]), before)


def test_scores_on_the_device_equal_those_of_the_library(torch: Any) -> None:
    from gtr.torch._detail import fts_scores

    for width in (1, 2, 31, 64):
        rows = torch.randn(5, 3, width)
        expected = gtr.fts_scores(rows.reshape(15, width).numpy())
        assert np.allclose(fts_scores(rows).numpy().ravel(), expected, rtol=1e-12, atol=1e-12)


def test_a_python_order_can_be_sampled(torch: Any, model: Any, unregistered: None) -> None:
    import gtr.torch

    class Columns:
        def partition(self, grid: gtr.Grid) -> list[list[int]]:
            return [[row * grid.width + column for column in range(grid.width) for row in range(grid.height)]]

    steps: list[gtr.torch.Step] = []
    plan = gtr.plan("mar-8", grid=(4, 4), order=Columns(), pace={"kind": "uniform", "steps": 4}, max_timestep=900)
    assert torch.isfinite(gtr.torch.sample(model, plan, labels=[1], callback=steps.append)).all()
    assert [step.tokens[0].tolist() for step in steps] == [[c, c + 4, c + 8, c + 12] for c in range(4)]
