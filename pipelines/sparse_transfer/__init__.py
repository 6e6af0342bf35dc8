"""The pipeline `sparse_transfer`."""
