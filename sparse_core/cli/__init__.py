"""Command line: one command per step, made from its signature and docstring, and `recipe` to look into recipes."""
