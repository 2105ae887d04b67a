"""Diffusion of single tokens: the noise schedule, the loss of the head, and sampling."""

import math

import numpy as np
import torch

TIMESTEPS = 1000


def cosine_betas():
    def kept(share):
        return math.cos((share + 0.008) / 1.008 * math.pi / 2) ** 2

    return np.array([min(1 - kept((i + 1) / TIMESTEPS) / kept(i / TIMESTEPS), 0.999) for i in range(TIMESTEPS)])


class Schedule:
    """Coefficients of timesteps, ascending: all of them, or those that a sampler visits."""

    def __init__(self, timesteps=None, device="cpu"):
        kept = np.cumprod(1 - cosine_betas())
        self.timesteps = list(range(TIMESTEPS)) if timesteps is None else timesteps
        kept = kept[self.timesteps]
        before = np.append(1.0, kept[:-1])
        beta = 1 - kept / before
        posterior = beta * (1 - before) / (1 - kept)
        first = posterior[1] if len(kept) > 1 else np.maximum(posterior[0], 1e-20)

        def row(values):
            return torch.tensor(values, dtype=torch.float32, device=device)

        self.kept = row(kept)
        self.signal, self.noise = row(np.sqrt(kept)), row(np.sqrt(1 - kept))
        self.log_beta = row(np.log(beta))
        self.log_posterior = row(np.log(np.append(first, posterior[1:])))
        self.from_start = row(beta * np.sqrt(before) / (1 - kept))
        self.from_noisy = row((1 - before) * np.sqrt(1 - beta) / (1 - kept))


def spaced(count, top):
    """Returns COUNT evenly spaced timesteps from 0 to TOP; the stride is accumulated and rounded half to even, as published."""
    if count == 1:
        return [top]
    places, place = [], 0.0
    for _ in range(count):
        places.append(round(place))
        place += top / (count - 1)
    return places


def stratified(count, top, generator):
    """Draws COUNT timesteps up to TOP by stratified sampling: one from each of COUNT equal strata, in random order."""
    parts = torch.randperm(count, generator=generator)
    within = torch.rand(count, generator=generator)
    return ((parts + within) / count * (top + 1)).long().clamp(max=top)


class Loss:
    """The loss of the head: the squared error of the noise, and the variational bound of the variance.

    The squared error has the weight `1 / kept(t)`, at most CAP, scaled to a mean weight of 1. A sampler divides the error of the
    noise by sqrt(kept(t)) when it computes the token. Without weights, the error in the token is therefore large at high noise, and
    more diffusion steps accumulate it. CAP = 1 is the published, unweighted error. The highest timestep is TOP.
    """

    def __init__(self, top, cap, variance, device):
        self.schedule = Schedule(device=device)
        weight = (1 / self.schedule.kept[: top + 1]).clamp(max=cap)
        self.weight = weight / weight.mean()
        self.variance = variance

    def __call__(self, net, tokens, condition, timesteps, noise):
        """Returns the loss and the unweighted error of the noise."""
        s = self.schedule

        def at(row):
            return row[timesteps][:, None]

        noisy = at(s.signal) * tokens + at(s.noise) * noise
        predicted, share = net(noisy, timesteps, condition).float().chunk(2, dim=-1)
        error = (predicted - noise).square().mean(dim=-1)
        bound = self._bound(tokens, noisy, predicted.detach(), (share + 1) / 2, timesteps, at)
        return (self.weight[timesteps] * error + self.variance * bound).mean(), error.detach().mean()

    def _bound(self, tokens, noisy, predicted, share, timesteps, at):
        """Returns the terms of the variational bound, in bits per value; the predicted mean gets no gradient from them."""
        s = self.schedule
        start = (noisy - at(s.noise) * predicted) / at(s.signal)
        mean = at(s.from_start) * start + at(s.from_noisy) * noisy
        true_mean = at(s.from_start) * tokens + at(s.from_noisy) * noisy
        true_log = at(s.log_posterior)
        log = share * at(s.log_beta) + (1 - share) * true_log
        divergence = 0.5 * (log - true_log - 1 + (true_log - log).exp() + (true_mean - mean).square() * (-log).exp())
        last = 0.5 * (math.log(2 * math.pi) + log + (tokens - mean).square() * (-log).exp())
        return torch.where((timesteps == 0)[:, None], last, divergence).mean(dim=-1) / math.log(2)


@torch.no_grad()
def draw(net, condition, unconditional, guidance, schedule, normal):
    """Draws tokens [R, D] with the head, given conditions [R, E] and the unconditional ones for guidance.

    NORMAL returns noise [R, D]. It is called once at the start, and once after each timestep except the last.
    """
    rows, device = condition.shape[0], condition.device
    x = normal()
    for i in reversed(range(len(schedule.timesteps))):
        timesteps = torch.full((2 * rows,), schedule.timesteps[i], device=device)
        noise, share = net(torch.cat([x, x]), timesteps, torch.cat([condition, unconditional])).chunk(2, dim=-1)
        free = noise[rows:]
        noise, share = free + guidance * (noise[:rows] - free), (share[:rows] + 1) / 2
        start = (x - schedule.noise[i] * noise) / schedule.signal[i]
        x = schedule.from_start[i] * start + schedule.from_noisy[i] * x
        if i:
            log = share * schedule.log_beta[i] + (1 - share) * schedule.log_posterior[i]
            x = x + (0.5 * log).exp() * normal()
    return x
