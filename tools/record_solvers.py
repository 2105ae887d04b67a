"""Records the steps of the solvers of `diffusers` on distributions whose exact prediction is known.

    pip install torch diffusers
    python tools/record_solvers.py tests/golden/solvers.json

The clean values are one-dimensional: Gaussian, or a mixture of two Gaussians. For both, the expected noise of a noisy
value has a closed form. All arithmetic is in float64. The schedulers are those of the package; what is replaced, and
why, is in the field `note` of the file.
"""

import json
import math
import sys

import diffusers
import torch
from diffusers import DDIMScheduler, DPMSolverMultistepScheduler
from diffusers.schedulers import scheduling_dpmsolver_multistep

STEPS = 1000

NOTE = (
    "Values x before the first evaluation and after each evaluation, one column per point; `noise` has the noise "
    "that each evaluation but the last adds. The schedulers compute alphas_cumprod in float32; here the same "
    "betas (squaredcos_cap_v2, at most 0.999) are computed in float64. DDIMScheduler takes the timestep before as "
    "t - 1000 // n; it is given the alphas_cumprod of the listed timesteps only, numbered 0 to n - 1 with n "
    "training steps, so that the timestep before is the one listed before. After timestep 0 it uses "
    "alphas_cumprod 1. DPMSolverMultistepScheduler gets the listed timesteps and their sigmas, and converts "
    "samples to float64 where it converts them to float32."
)

DATA = {
    "gaussian": {"weights": [1.0], "means": [0.4], "variances": [0.25]},
    "mixture": {"weights": [0.3, 0.7], "means": [-1.2, 0.8], "variances": [0.04, 0.09]},
}

# Starting points in standard deviations of the noise.
POINTS = [-2.1, -0.9, -0.2, 0.35, 1.1, 2.4]


def alphas_cumprod():
    """Cumulative products of the squared-cosine schedule, in float64."""
    bar = [math.cos((step / STEPS + 0.008) / 1.008 * math.pi / 2) ** 2 for step in range(STEPS + 1)]
    betas = [min(1 - bar[step + 1] / bar[step], 0.999) for step in range(STEPS)]
    return torch.cumprod(1 - torch.tensor(betas, dtype=torch.float64), 0)


def timesteps(count, highest):
    """Evenly spaced timesteps from 0; the stride is accumulated, and each sum is rounded half to even."""
    if count == 1:
        return [highest]
    stride, position, values = highest / (count - 1), 0.0, []
    for _ in range(count):
        values.append(round(position))
        position += stride
    return values


def expected_noise(data, x, share):
    """Expected noise of x = sqrt(share) x0 + sqrt(1 - share) noise."""
    signal, sigma = math.sqrt(share), math.sqrt(1 - share)
    logits, noises = [], []
    for weight, mean, variance in zip(data["weights"], data["means"], data["variances"]):
        total = signal**2 * variance + sigma**2
        away = x - signal * mean
        logits.append(math.log(weight) - 0.5 * math.log(total) - away**2 / (2 * total))
        noises.append(sigma * away / total)
    posterior = torch.softmax(torch.stack(logits), 0)
    return (posterior * torch.stack(noises)).sum(0)


class Double:
    """The module torch, but float32 is float64."""

    float32 = torch.float64

    def __getattr__(self, name):
        return getattr(torch, name)


def run(data, shares, kept, step, noises):
    """Returns x before the first evaluation and after each.

    `step(index, timestep, prediction, x, noise)` is the scheduler.
    """
    x = torch.tensor(POINTS, dtype=torch.float64)
    values = [x]
    for evaluation, timestep in enumerate(reversed(kept)):
        prediction = expected_noise(data, x, shares[timestep].item())
        noise = noises[evaluation] if evaluation < len(noises) else torch.zeros_like(x)
        x = step(len(kept) - 1 - evaluation, timestep, prediction, x, noise)
        assert x.dtype == torch.float64
        values.append(x)
    return [value.tolist() for value in values]


def ddim(data, shares, kept, eta, noises):
    scheduler = DDIMScheduler(num_train_timesteps=len(kept), clip_sample=False, set_alpha_to_one=True)
    scheduler.alphas_cumprod = shares[kept]
    scheduler.final_alpha_cumprod = torch.tensor(1.0, dtype=torch.float64)
    scheduler.set_timesteps(len(kept))

    def step(index, _timestep, prediction, x, noise):
        return scheduler.step(prediction, index, x, eta=eta, variance_noise=noise if eta > 0 else None).prev_sample

    return run(data, shares, kept, step, noises)


def dpm(data, shares, kept, order):
    scheduler = DPMSolverMultistepScheduler(
        beta_schedule="squaredcos_cap_v2",
        algorithm_type="dpmsolver++",
        solver_order=order,
        solver_type="midpoint",
        final_sigmas_type="zero",
        prediction_type="epsilon",
        thresholding=False,
    )
    difference = (scheduler.alphas_cumprod.double() / shares - 1).abs()
    assert difference[:950].max() < 1e-6 and difference.max() < 1e-4, "alphas_cumprod differ by more than rounding"
    scheduler.set_timesteps(timesteps=kept[::-1])
    sigmas = ((1 - shares[kept]) / shares[kept]).sqrt().flip(0)
    scheduler.sigmas = torch.cat([sigmas, torch.zeros(1, dtype=torch.float64)])

    def step(_index, timestep, prediction, x, _noise):
        return scheduler.step(prediction, timestep, x).prev_sample

    return run(data, shares, kept, step, [])


def main(path):
    scheduling_dpmsolver_multistep.torch = Double()
    shares = alphas_cumprod()
    torch.manual_seed(0)
    cases = []
    for name, data in DATA.items():
        for count, highest in [(1, 999), (2, 949), (5, 949), (5, 999), (12, 949), (12, 999), (25, 949)]:
            kept = timesteps(count, highest)
            case = {"data": name, "timesteps": kept, "alphas_cumprod": shares[kept].tolist()}
            # One evaluation ends in the prediction of the clean value, whatever the solver.
            for eta in [0.0, 1.0] if count > 1 else [0.0]:
                noises = torch.randn(count - 1, len(POINTS), dtype=torch.float64) if eta > 0 else []
                values = ddim(data, shares, kept, eta, noises)
                case_noise = {"noise": noises.tolist()} if eta > 0 else {}
                cases.append({"solver": {"kind": "ddim", "eta": eta}, **case, "x": values, **case_noise})
            for order in [1, 2] if count > 1 else [2]:
                values = dpm(data, shares, kept, order)
                cases.append({"solver": {"kind": "dpm-solver++", "order": order, "second_order_end": True}, **case, "x": values})
    recording = {
        "source": f"diffusers {diffusers.__version__}, DDIMScheduler and DPMSolverMultistepScheduler (midpoint, final "
        "sigma zero, no clipping, no thresholding), prediction of noise; "
        f"torch {torch.__version__}, float64 on the CPU",
        "note": NOTE,
        "data": DATA,
        "cases": cases,
    }
    with open(path, "w") as file:
        json.dump(recording, file)
        file.write("\n")


if __name__ == "__main__":
    main(sys.argv[1])
