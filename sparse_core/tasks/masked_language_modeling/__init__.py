"""Masked language modeling: the model fills in masked tokens."""
