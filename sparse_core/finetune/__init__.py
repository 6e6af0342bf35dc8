"""SparseML's training and export commands: their flags, and the plain functions behind them."""
