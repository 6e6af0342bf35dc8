"""Components: training."""
