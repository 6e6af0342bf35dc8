"""Small layers, and a training of them."""

import torch
from torch import nn

from sparse_core.modifiers.base import TrainingContext


def linear(*rows):
    """A Linear without bias whose weight is `rows`."""
    module = nn.Linear(len(rows[0]), len(rows), bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(rows))
    return module


def shake(module):
    """What an optimizer does to masked weights that have momentum: moves them all."""
    with torch.no_grad():
        module.weight.add_(0.5)


def context(module, steps_per_epoch=4):
    """A training of `module`."""
    return TrainingContext(model=module, steps_per_epoch=steps_per_epoch)
