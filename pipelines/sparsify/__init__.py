"""The pipeline `sparsify`."""
