"""Vectors of images and what searches them: `space` says which belong together, `vectors` keeps them with their rows."""
