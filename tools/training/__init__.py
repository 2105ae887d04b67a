"""What tools/train_mar.py and tools/train_judge.py are made of: data, network, diffusion, training, sampling, files."""
