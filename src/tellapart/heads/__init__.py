"""Heads: from embeddings to calibrated probabilities, answers and an out-of-distribution score. Arrays only.

Import from the modules: a prediction needs three of them, and each costs a millisecond of its start.
"""
