"""Implementation of tools/train_mar.py and tools/train_judge.py: data, network, diffusion, training, sampling, files."""
