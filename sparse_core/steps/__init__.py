"""Steps: one plain function for each step of a pipeline, paths and scalars in, a flat dict of scalars out."""
