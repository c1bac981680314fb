"""Classes that change on a live model: each change makes a new version of it, and none of the old answers is lost."""
