"""Repair: proposed fixes that a person edits, revisions of a data set, and what differs between two of them."""
