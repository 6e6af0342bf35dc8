"""A modifier is closed in itself: one that is defined here trains, checks, shows, exports and resumes."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import onnxruntime
import pytest
import torch
import transformers
from pydantic import Field
from torch import Tensor, nn

import sparse_core
from sparse_core.cli.main import main
from sparse_core.errors import RecipeError
from sparse_core.export.onnx import export_model
from sparse_core.modifiers.base import ActiveModifier, ForwardPass, Modifier, Segment, TrainingContext
from sparse_core.modifiers.registry import MODIFIERS
from sparse_core.recipe import load_recipe, require_pruning, show_recipe, timeline_svg
from sparse_core.training.context import calibration_batches
from tests.refusals import refused
from tests.unit.training.conftest import make_model, make_trainer  # noqa: F401  make_trainer is a fixture

RECIPE = """
training_modifiers:
- !EpochRangeModifier {start_epoch: 0.0, end_epoch: 3.0}
- !ShallowModifier {start_epoch: 1.0, keep_layers: 1, penalty: 0.01, largest: 0.15}
"""
LAST_LAYER = "bert.encoder.layer.1."


class ShallowModifier(Modifier):
    """Removes the layers after `keep_layers` at start_epoch, and pulls the weights of the head towards 0."""

    description: ClassVar[str] = "removes layers"
    keeps_zeros: ClassVar[bool] = True
    only_one: ClassVar[bool] = True

    keep_layers: int = Field(ge=1, description="Layers to keep.")
    penalty: float = Field(ge=0.0, description="Factor of the penalty in the first epoch; halved after each epoch.")
    largest: float = Field(gt=0.0, description="Largest magnitude of a weight of the head.")

    @property
    def changes_structure_at(self) -> float:
        return self.begins_at

    def learning_rate_at(self, epoch: float) -> float:
        return 0.002 / (1.0 + epoch)

    def weight_decay_at(self, epoch: float) -> float:
        return 0.1

    def segments(self, num_epochs: float) -> Sequence[Segment]:
        return [
            Segment(0.0, self.begins_at, "all layers"),
            Segment(self.begins_at, num_epochs, "few layers", holds=True),
        ]

    def ineffective_settings(self, num_epochs: float) -> Iterator[tuple[str, str]]:
        if self.penalty == 0.0:
            yield "penalty", "it is 0"

    def matched_parameters(self, model: nn.Module) -> list[str]:
        layers = list(model.get_submodule("bert.encoder.layer").children())
        if len(layers) < self.keep_layers:
            raise RecipeError("keep_layers", accepted=f"at most {len(layers)}", got=self.keep_layers)
        removed = tuple(f"bert.encoder.layer.{number}." for number in range(self.keep_layers, len(layers)))
        return [name for name, _ in model.named_parameters() if name.startswith(removed)]

    def model_notes(self, model: nn.Module) -> list[str]:
        return [] if self.matched_parameters(model) else ["keep_layers has no effect: the model has no more layers"]

    def activate(self, training: TrainingContext) -> ActiveShallow:
        return ActiveShallow(self, training)


class ActiveShallow(ActiveModifier):
    """Uses every hook, and keeps what it has seen in the checkpoints."""

    def __init__(self, modifier: ShallowModifier, training: TrainingContext) -> None:
        self.modifier, self.training = modifier, training
        self.head = training.model.get_submodule("classifier")
        self.factor = torch.tensor(modifier.penalty)
        self.gradient = torch.zeros_like(self.head.weight)
        self.epochs: list[float] = []
        self.num_calibration_rows = 0

    def before_step(self, epoch: float) -> None:
        if epoch == 0.0:
            self.num_calibration_rows = sum(len(batch["labels"]) for batch in self.training.calibration_batches())
        if epoch >= self.modifier.begins_at:
            self._remove_layers()

    def loss(self, loss: Tensor, forward: ForwardPass) -> Tensor:
        assert forward.labels is not None and forward.outputs["logits"].shape[0] == len(forward.labels)
        return loss + self.factor * self.head.weight.square().sum()

    def after_backward(self, epoch: float) -> None:
        self.gradient = 0.9 * self.gradient + self.head.weight.grad

    def after_step(self, epoch: float) -> None:
        with torch.no_grad():
            self.head.weight.sub_(0.001 * self.gradient).clamp_(-self.modifier.largest, self.modifier.largest)

    def end_epoch(self, epoch: float) -> None:
        self.epochs.append(epoch)
        self.factor = self.factor / 2

    def restore_structure(self, epoch: float) -> None:
        if epoch > self.modifier.begins_at:  # at begins_at the step that removes them has not run yet
            self._remove_layers()

    def state(self) -> dict[str, Tensor]:
        return {"factor": self.factor, "gradient": self.gradient}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self.factor, self.gradient = state["factor"], state["gradient"]

    def _remove_layers(self) -> None:
        layers: Any = self.training.model.get_submodule("bert.encoder.layer")
        removed = layers[self.modifier.keep_layers :]
        if len(removed):
            self.training.drop_from_optimizer(removed.parameters())
            del layers[self.modifier.keep_layers :]
            self.training.model.config.num_hidden_layers = self.modifier.keep_layers


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MODIFIERS, "ShallowModifier", ShallowModifier)


class StopAt(transformers.TrainerCallback):
    """Ends the training after a step, as a preempted machine does after its last checkpoint."""

    def __init__(self, step: int) -> None:
        self.step = step

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        control.should_training_stop = state.global_step >= self.step


def active_of(trainer: Any) -> ActiveShallow:
    (active,) = trainer._recipe_callback._active.values()
    return active


def test_it_trains_by_every_hook_and_claim(make_trainer):  # noqa: F811
    trainer = make_trainer(recipe=RECIPE)
    trainer.train()
    active = active_of(trainer)
    assert len(trainer.model.bert.encoder.layer) == 1
    assert float(trainer.model.classifier.weight.detach().abs().max()) <= 0.15
    assert active.epochs == [1.0, 2.0, 3.0]
    assert float(active.factor) == pytest.approx(0.01 / 8)
    assert active.num_calibration_rows == 32
    assert trainer.state.log_history[4]["learning_rate"] == pytest.approx(0.002 / (1.0 + 1.0))
    assert {group["weight_decay"] for group in trainer.optimizer.param_groups} == {0.1, 0.0}
    in_optimizer = {id(p) for group in trainer.optimizer.param_groups for p in group["params"]}
    assert in_optimizer == {id(p) for p in trainer.model.parameters()}


def test_calibration_rows_use_no_random_number_of_the_training(make_trainer):  # noqa: F811
    trainer = make_trainer(recipe=RECIPE)
    before = torch.get_rng_state()
    assert sum(len(batch["labels"]) for batch in calibration_batches(trainer)) == 32
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("stop", [3, 4, 5, 8, 10])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_it_resumes_bit_for_bit(make_trainer, stop, accumulation):  # noqa: F811
    settings = {
        "recipe": RECIPE,
        "save_strategy": "steps",
        "save_steps": 1,
        "per_device_train_batch_size": 8 // accumulation,
        "gradient_accumulation_steps": accumulation,
    }
    whole = make_trainer("whole", **{**settings, "save_strategy": "no"})
    whole.train()
    make_trainer("cut", callbacks=[StopAt(stop)], **settings).train()
    resumed = make_trainer("cut", model=make_model(seed=99), **settings)
    resumed.train(resume_from_checkpoint=True)
    expected, actual = whole.model.state_dict(), resumed.model.state_dict()
    assert expected.keys() == actual.keys() and not any(name.startswith(LAST_LAYER) for name in expected)
    assert [name for name in expected if not torch.equal(expected[name], actual[name])] == []
    assert torch.equal(active_of(whole).factor, active_of(resumed).factor)


def test_it_saves_loads_and_exports(make_trainer, tmp_path):  # noqa: F811
    trainer = make_trainer(recipe=RECIPE)
    trainer.train()
    trainer.save_model(str(tmp_path / "model"))
    loaded = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "model").eval()
    export_model(loaded, tmp_path / "model.onnx")
    ids = torch.randint(6, 40, (3, 7), generator=torch.Generator().manual_seed(0))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "token_type_ids": torch.zeros_like(ids)}
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    names = {item.name for item in session.get_inputs()}
    (logits,) = session.run(None, {name: value.numpy() for name, value in inputs.items() if name in names})
    with torch.no_grad():
        assert torch.allclose(torch.from_numpy(logits), trainer.model.eval().cpu()(**inputs).logits, atol=1e-4)


def test_it_is_shown_with_its_timeline():
    recipe = load_recipe(RECIPE)
    assert "ShallowModifier" in show_recipe(recipe) and "few layers" in timeline_svg(recipe)
    assert (recipe.finished_at, recipe.changes_model, recipe.quantization_start) == (1.0, True, None)
    require_pruning(recipe)
    assert load_recipe(recipe.to_yaml()) == recipe
    (warning,) = load_recipe(RECIPE.replace("penalty: 0.01", "penalty: 0")).warnings
    assert warning == "recipe text, line 4: ShallowModifier.penalty has no effect: it is 0"


def test_it_is_checked_on_the_command_line(tmp_path, capsys):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(RECIPE)
    make_model().save_pretrained(tmp_path / "model")
    timeline = tmp_path / "timeline.svg"
    main(["recipe", "show", str(recipe), "--timeline", str(timeline)])
    assert "ShallowModifier" in timeline.read_text()
    main(["recipe", "check", str(recipe), "--model", str(tmp_path / "model")])
    assert f"{LAST_LAYER}attention.self.query.weight" in capsys.readouterr().out


def test_its_settings_are_refused_with_their_place(make_trainer):  # noqa: F811
    with refused(RecipeError, "ShallowModifier.keep_layers", line=4):
        load_recipe(RECIPE.replace("keep_layers: 1", "keep_layers: 0"))
    with refused(RecipeError, "ShallowModifier", line=5):
        load_recipe(RECIPE + "- !ShallowModifier {keep_layers: 1, penalty: 1, largest: 1}\n")
    with refused(RecipeError, "ShallowModifier.keep_layers"):
        make_trainer(recipe=RECIPE.replace("keep_layers: 1", "keep_layers: 3")).train()


def test_no_code_outside_of_the_modifiers_asks_for_a_class():
    root = Path(sparse_core.__file__).parent
    files = [path for path in root.rglob("*.py") if path.relative_to(root).parts[0] != "modifiers"]
    names = {
        f"{path.relative_to(root)}: {node.name if isinstance(node, ast.alias) else node.id}"
        for path in files
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.alias) and node.name in MODIFIERS)
        or (isinstance(node, ast.Name) and node.id in MODIFIERS)
    }
    assert names == set()
