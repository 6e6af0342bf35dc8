"""Modifiers: what a recipe can do to a training."""
