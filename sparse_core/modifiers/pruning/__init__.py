"""Pruning: which weights are zero, and when."""
