"""Components: recipes."""
