"""Kubeflow Pipelines components: each a folder with one thin component over one function of `sparse_core.steps`."""
