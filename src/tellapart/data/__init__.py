"""Data sets: reading, writing, label maps, groups and splits. Images are listed here and decoded elsewhere."""
