"""Sparsity counted by hand."""

import pytest
import torch
from torch import nn

from sparse_core.modifiers.pruning.report import sparsity_report


def test_report_by_layer_kind_encoder_and_model():
    model = nn.Module()
    model.embeddings = nn.Embedding(4, 2)
    model.layer = nn.ModuleList([nn.ModuleDict({"dense": nn.Linear(2, 2, bias=False)}) for _ in range(2)])
    model.head = nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
        model.layer[0]["dense"].weight.zero_()
        model.layer[1]["dense"].weight[0, 0] = -0.0
    report = sparsity_report(model)
    assert report.layers == {"layer.0.dense.weight": 1.0, "layer.1.dense.weight": 0.25, "head.weight": 0.0}
    assert report.by_kind == {"dense.weight": 0.625, "head.weight": 0.0}
    assert report.encoder == 0.625
    assert report.model == pytest.approx(5 / 20)
