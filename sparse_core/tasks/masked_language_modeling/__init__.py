"""Masked language modeling: the model fills in hidden tokens."""
