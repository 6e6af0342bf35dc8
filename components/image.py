"""The container image of every component, fixed when a pipeline is compiled."""

import os
from importlib.metadata import version

IMAGE_VARIABLE = "SPARSE_PIPELINES_IMAGE"

IMAGE = os.environ.get(IMAGE_VARIABLE) or f"sparse-pipelines-python:{version('sparse-pipelines')}"
"""Give a released tag or digest: a cache that knows the image by a moving tag returns results of older code.

The default's name contains "python" because kfp.local warns about images that do not.
"""
