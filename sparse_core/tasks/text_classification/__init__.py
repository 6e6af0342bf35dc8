"""Text classification: one or two texts, with a class, several classes or a number."""
