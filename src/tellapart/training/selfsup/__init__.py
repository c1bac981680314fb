"""Pre-training of a network on images without labels."""
