"""The network itself learns: data, losses, loop, checkpoints, several processes."""
