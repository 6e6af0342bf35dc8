"""Masks worked out by hand."""

import pytest
import torch
from torch import tensor

from sparse_core.modifiers.pruning.masks import MaskedWeights, keep_top, keep_top_global


def test_keep_top_drops_the_lowest_scores():
    assert keep_top(tensor([3.0, -1.0, 2.0, 0.0]).abs(), 0.5).tolist() == [True, False, True, False]


def test_keep_top_drops_the_lower_index_among_equal_scores():
    assert keep_top(tensor([1.0, 1.0, 1.0, 1.0]), 0.5).tolist() == [False, False, True, True]


@pytest.mark.parametrize("sparsity", [0.0, 0.1, 0.333, 0.5, 0.8, 0.999, 1.0])
def test_keep_top_drops_exactly_the_rounded_count(sparsity):
    scores = torch.rand(13, 17, generator=torch.Generator().manual_seed(0))
    assert int((~keep_top(scores, sparsity)).sum()) == round(sparsity * 13 * 17)


def test_keep_top_keeps_shape_and_does_not_change_the_scores():
    scores = tensor([[4.0, 1.0], [3.0, 2.0]])
    before = scores.clone()
    assert keep_top(scores, 0.25).tolist() == [[True, False], [True, True]]
    assert torch.equal(scores, before)


def test_keep_top_takes_bfloat16_scores():
    assert keep_top(tensor([3.0, 1.0], dtype=torch.bfloat16), 0.5).tolist() == [True, False]


def test_keep_top_global_uses_one_threshold():
    masks = keep_top_global([tensor([1.0, 2.0]), tensor([[10.0], [20.0]])], 0.5)
    assert [mask.tolist() for mask in masks] == [[False, False], [[True], [True]]]


def test_masked_weights_are_exactly_zero_after_apply_and_the_rest_is_untouched():
    weight = torch.nn.Parameter(tensor([1.5, -2.5, 3.5]))
    masked = MaskedWeights({"w": weight})
    masked.set_masks({"w": tensor([True, False, True])})
    assert weight.tolist() == [1.5, 0.0, 3.5]
    with torch.no_grad():
        weight.add_(1.0)
    masked.apply()
    assert weight.tolist() == [2.5, 0.0, 4.5]
    assert masked.masks()["w"].tolist() == [True, False, True]
