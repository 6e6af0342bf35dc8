"""Components: deployment."""
