"""Steps: one function for each step of a pipeline. It takes paths and settings and returns a flat dict of scalars."""
