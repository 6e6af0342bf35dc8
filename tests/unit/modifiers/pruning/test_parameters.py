"""What a recipe's params name."""

import pytest
from torch import nn

from sparse_core.errors import RecipeError
from sparse_core.modifiers.pruning.parameters import match_parameters, prunable_parameters
from tests.refusals import refused


class Net(nn.Module):
    """One module of each kind that matters."""

    def __init__(self):
        super().__init__()
        self.embeddings = nn.Embedding(5, 4)
        self.conv = nn.Conv1d(4, 4, 1)
        self.dense = nn.Linear(4, 3)
        self.norm = nn.LayerNorm(3)


def test_prunable_are_linear_and_conv_weights_only():
    assert list(prunable_parameters(Net())) == ["conv.weight", "dense.weight"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ("__ALL_PRUNABLE__", ["conv.weight", "dense.weight"]),
        ("dense.weight", ["dense.weight"]),
        (["re:.*weight"], ["embeddings.weight", "conv.weight", "dense.weight", "norm.weight"]),
        (["re:dense", "conv.bias"], ["conv.bias", "dense.weight", "dense.bias"]),
    ],
)
def test_match_parameters(params, expected):
    assert list(match_parameters(Net(), params)) == expected


def test_all_is_every_parameter():
    net = Net()
    assert list(match_parameters(net, "__ALL__")) == [name for name, _ in net.named_parameters()]


def test_an_output_layer_tied_to_a_table_is_not_prunable():
    net = Net()
    net.head = nn.Linear(4, 5, bias=False)
    assert "head.weight" in prunable_parameters(net)
    net.head.weight = net.embeddings.weight
    assert (
        list(prunable_parameters(net))
        == list(match_parameters(net, "__ALL_PRUNABLE__"))
        == [
            "conv.weight",
            "dense.weight",
        ]
    )


def test_a_matrix_that_two_layers_share_is_found_once():
    net = Net()
    net.again = nn.Linear(4, 3)
    net.again.weight = net.dense.weight
    assert list(match_parameters(net, "__ALL_PRUNABLE__")) == ["conv.weight", "dense.weight"]


def test_no_match_names_the_entry_and_the_nearest_parameter():
    with refused(RecipeError, "params"):
        match_parameters(Net(), ["__ALL_PRUNABLE__", "dens.weight"])


def test_a_broken_pattern_is_named():
    with refused(RecipeError, "params"):
        match_parameters(Net(), "re:(")
