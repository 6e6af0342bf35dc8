"""Quantization-aware training: int8 arithmetic simulated while the weights still learn."""
