"""What training images go through before the preprocess spec, and mixes of a batch."""
