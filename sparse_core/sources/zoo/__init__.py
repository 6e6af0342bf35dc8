"""SparseZoo stubs, and the models and recipes that they stand for."""
