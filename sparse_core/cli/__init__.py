"""The `sparse-core` command: one command for each step, `recipe`, and SparseML's commands."""
