"""What a sparse, quantized model is worth on this machine: accuracy, size, latency, memory, and the report of them."""
