"""Components: evaluation."""
