"""What leaves the training: an ONNX file, proof that it computes what the model does, and a directory to deploy."""
