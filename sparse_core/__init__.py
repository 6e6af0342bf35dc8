"""Sparse, quantized Hugging Face encoders for CPUs: recipes, training, ONNX export and benchmarks."""

__version__ = "0.1.0"
