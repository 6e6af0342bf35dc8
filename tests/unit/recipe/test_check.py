"""What a recipe would touch in a small model, without training it."""

from __future__ import annotations

import torch
from torch import nn

from sparse_core.errors import RecipeError
from sparse_core.recipe import CheckRow, check_recipe, format_check, load_recipe

RECIPE = """
a_modifiers:
  - !EpochRangeModifier {start_epoch: 0, end_epoch: 4}
  - !ConstantPruningModifier {params: ['re:encoder.*weight']}
  - !GMPruningModifier {init_sparsity: 0, final_sparsity: 0.5, start_epoch: 0, end_epoch: 2, params: [no.such]}
  - !QuantizationModifier {start_epoch: 2, freeze_bn_stats_epoch: 3}
"""


class Small(nn.Module):
    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.encoder = nn.Sequential(*(nn.Linear(4, 4) for _ in range(4)))
        self.norm = norm
        self.classifier = nn.Linear(4, 2)


def rows_of(norm: nn.Module) -> list[CheckRow]:
    return check_recipe(load_recipe(RECIPE), Small(norm))


def test_rows_name_what_is_touched() -> None:
    epochs, kept, pruned, _ = rows_of(nn.LayerNorm(4))
    assert epochs == CheckRow("EpochRangeModifier", "0 to 4", None)
    assert kept == CheckRow("ConstantPruningModifier", "0 to 4", tuple(f"encoder.{n}.weight" for n in range(4)))
    assert (pruned.modifier, pruned.matched) == ("GMPruningModifier", None)
    assert pruned.problem is not None and pruned.problem.setting == "GMPruningModifier.params"


def test_batch_norm_freezing_is_noted_where_there_is_none() -> None:
    note = "freeze_bn_stats_epoch has no effect: Small has no BatchNorm module"
    assert rows_of(nn.LayerNorm(4))[3].notes == (note,)
    assert rows_of(nn.BatchNorm1d(4))[3].notes == ()


def test_the_table() -> None:
    rows = [
        CheckRow("A", "0 to 4", None),
        CheckRow("B", "0 to 4", ("w.0", "w.1", "w.2", "w.3")),
        CheckRow("C", "1 to 2", ("w.0",), notes=("field has no effect",)),
        CheckRow("D", "0 to 4", None, problem=RecipeError("D.params", "matches nothing")),
    ]
    assert format_check(rows) == (
        "modifier  epochs  touches       such as\n"
        "--------  ------  ------------  ------------------\n"
        "A         0 to 4  no parameter\n"
        "B         0 to 4  4 parameters  w.0, w.1, w.2, ...\n"
        "C         1 to 2  1 parameter   w.0\n"
        "D         0 to 4  cannot run\n"
        "\n"
        "C.field has no effect\n"
        "D.params: matches nothing\n"
    )
    assert format_check(rows[:1]).count("\n") == 3


def test_the_model_is_only_read() -> None:
    model = Small(nn.LayerNorm(4))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    check_recipe(load_recipe(RECIPE), model)
    after = model.state_dict()
    assert list(before) == list(after)
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())
