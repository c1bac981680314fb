"""Cameras in, decisions out: what `tellapart watch` does."""
