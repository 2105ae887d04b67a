"""The judge of a model: a small classifier of 32x32 grey images, and the statistics of real images."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

SIDE, FEATURES, CLASSES = 32, 64, 10


class Judge(nn.Module):
    """The network that gtr-cli reads: see models/digit-classifier/README.md."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 16, 3, padding=1)
        self.conv2 = nn.Conv2d(16, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc1 = nn.Linear(64 * (SIDE // 8) ** 2, FEATURES)
        self.fc2 = nn.Linear(FEATURES, CLASSES)

    def features(self, x):
        for convolution in (self.conv1, self.conv2, self.conv3):
            x = F.max_pool2d(F.relu(convolution(x)), 2)
        return F.relu(self.fc1(x.flatten(1)))

    def forward(self, x):
        return self.fc2(F.dropout(self.features(x), 0.3, self.training))

    @torch.no_grad()
    def seen(self, pictures):
        """Returns features [N, 64] and logits [N, 10] in f64, computed a thousand images at a time."""
        features = torch.cat([self.features(part) for part in pictures.split(1000)])
        return features.double().cpu().numpy(), self.fc2(features).double().cpu().numpy()


def train(pictures, labels, epochs, seed, device, told):
    """Trains a judge on PICTURES [N, 1, 32, 32] from -1 to 1; calls TOLD with the number of each finished epoch."""
    batch = 128
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    judge = Judge().to(device)
    optimizer = torch.optim.AdamW(judge.parameters(), weight_decay=0.01)
    steps = epochs * -(-len(pictures) // batch)
    rate = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for epoch in range(epochs):
        judge.train()
        for chosen in torch.randperm(len(pictures), generator=generator).split(batch):
            shift = torch.randint(-2, 3, (2,), generator=generator).tolist()
            moved = torch.roll(pictures[chosen].to(device), shift, (2, 3))
            loss = F.cross_entropy(judge(moved), labels[chosen].to(device))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            rate.step()
        told(epoch + 1)
    return judge.eval()


def accuracy(logits, labels):
    return float((logits.argmax(axis=1) == labels.numpy()).mean())


def moments(features):
    """Returns the mean and the sample covariance (divisor n - 1)."""
    return features.mean(axis=0), np.cov(features, rowvar=False)


def frechet(first, second):
    """Returns the Frechet distance between normal distributions with these means and covariances."""
    (mean, covariance), (other_mean, other_covariance) = first, second
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.clip(values, 0, None)) @ vectors.T
    shared = np.sqrt(np.clip(np.linalg.eigvalsh(root @ other_covariance @ root), 0, None)).sum()
    apart = np.square(mean - other_mean).sum()
    return float(apart + np.trace(covariance) + np.trace(other_covariance) - 2 * shared)


def halves(labels):
    """Returns masks [N] of two halves: the images at even and at odd positions of each class."""
    first = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        first[(labels == label).nonzero()[::2, 0]] = True
    return first.numpy(), ~first.numpy()


def inception_score(logits):
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares /= shares.sum(axis=1, keepdims=True)
    mean = shares.mean(axis=0)
    return float(np.exp((shares * (np.log(shares + 1e-12) - np.log(mean + 1e-12))).sum(axis=1).mean()))
