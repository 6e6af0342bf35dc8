"""Kubeflow pipelines over the components, and the command that runs them on this machine."""
