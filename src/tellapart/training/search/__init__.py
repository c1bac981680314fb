"""The search for a recipe: what is tried out, in which order, when a trial is given up, which one is chosen."""
