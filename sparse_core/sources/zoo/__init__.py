"""SparseZoo stubs and what stands for each today."""
