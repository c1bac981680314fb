"""Hygiene: what is wrong with a data set, before a model learns it. One check per file, on arrays and records."""
