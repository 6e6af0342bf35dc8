"""What every modifier is: frozen settings that a recipe gives, claims about them, and run state for one training."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from pydantic import Field, model_validator

from sparse_core.errors import RecipeError
from sparse_core.fields import Options

if TYPE_CHECKING:
    from torch import Tensor, nn
    from torch.optim import Optimizer

UNSET_EPOCH = -1.0
"""Epoch that means "from the start" as start_epoch and "never ends" as end_epoch, as in SparseML."""


@dataclass(frozen=True)
class Segment:
    """Epochs [start, end) in which a modifier does one thing.

    Attributes:
        start: first epoch.
        end: epoch after the last.
        phase: what the modifier does, in a few words.
        holds: the modifier only keeps what it made in an earlier segment.
    """

    start: float
    end: float
    phase: str
    holds: bool = False


class Modifier(Options):
    """Settings of one `- !NameModifier` item of a recipe; the class name is the recipe key.

    The rest of the library asks a modifier what it claims, and never which class it is. Each claim has a default that
    suits a modifier to which the question does not apply.
    """

    description: ClassVar[str] = ""
    """One line for `sparse-core recipe show` and the recipe reference."""
    ineffective_fields: ClassVar[dict[str, str]] = {}
    """Fields that are read for compatibility and change nothing, each with the reason."""
    sparseml_defaults: ClassVar[dict[str, Any]] = {}
    """SparseML's fields that this class does not have, each with SparseML's default: the one value that is accepted."""

    makes_zeros: ClassVar[bool] = False
    """Whether the modifier prunes weights that were not zero."""
    keeps_zeros: ClassVar[bool] = False
    """Whether weights that are zero stay zero while the modifier acts."""
    needs_teacher: ClassVar[bool] = False
    """Whether the modifier learns from a teacher."""
    needs_live_teacher: ClassVar[bool] = False
    """Whether the teacher must run on each batch, as for hidden states: they are too large to compute beforehand."""
    only_one: ClassVar[bool] = False
    """Whether a recipe may hold only one modifier of this class."""

    start_epoch: float = Field(UNSET_EPOCH, ge=-1.0, description="Epoch at which the modifier starts; -1: at once.")
    end_epoch: float = Field(UNSET_EPOCH, ge=-1.0, description="Epoch at which the modifier ends; -1: never.")

    @model_validator(mode="after")
    def _ends_after_start(self) -> Modifier:
        if self.end_epoch != UNSET_EPOCH and self.end_epoch < max(self.start_epoch, 0.0):
            raise RecipeError(
                "end_epoch",
                accepted=f"start_epoch ({self.start_epoch:g}) or later, or -1 for never",
                got=self.end_epoch,
            )
        return self

    # --- epochs -----------------------------------------------------------------------------------------------------

    @property
    def begins_at(self) -> float:
        """First epoch in which the modifier acts; 0 when start_epoch is unset."""
        return max(self.start_epoch, 0.0)

    def ends_at(self, num_epochs: float) -> float:
        """Epoch at which the modifier ends in a recipe of `num_epochs`."""
        return num_epochs if self.end_epoch == UNSET_EPOCH else self.end_epoch

    def is_active(self, epoch: float) -> bool:
        """Whether `epoch` (fractional, counted from 0) lies in [start_epoch, end_epoch)."""
        return epoch >= self.begins_at and (self.end_epoch == UNSET_EPOCH or epoch < self.end_epoch)

    @property
    def quantizes_at(self) -> float | None:
        """Epoch from which the model is quantized; None: the modifier does not quantize."""
        return None

    @property
    def changes_structure_at(self) -> float | None:
        """Epoch from which the model has other modules or shapes; None: the modifier leaves them alone."""
        return self.quantizes_at

    @property
    def finished_at(self) -> float:
        """Epoch from which the model is what this modifier wants; 0: from the start.

        The best checkpoint is chosen among those after this epoch, because a model that is not yet pruned or quantized
        usually scores better and is not what the recipe is for.
        """
        return self.changes_structure_at or 0.0

    def segments(self, num_epochs: float) -> Sequence[Segment]:
        """What the modifier does in which epochs, for timelines; epochs beyond `num_epochs` are cut off."""
        return [Segment(self.begins_at, self.ends_at(num_epochs), self.description)]

    # --- schedules --------------------------------------------------------------------------------------------------

    def learning_rate_at(self, epoch: float) -> float | None:
        """Learning rate that the modifier sets at `epoch`; None: it sets none."""
        return None

    def weight_decay_at(self, epoch: float) -> float | None:
        """Weight decay that the modifier sets at `epoch` for the parameters that decay; None: it sets none."""
        return None

    # --- checks -----------------------------------------------------------------------------------------------------

    def require_length(self, num_epochs: float) -> None:
        """Refuses settings that make no sense in a recipe of `num_epochs`.

        Raises:
            RecipeError: its setting is the field at fault.
        """
        return None

    def require_fit(self, model: nn.Module) -> None:
        """Refuses settings that do not fit `model`; called before the first step, with the model's weights loaded.

        Raises:
            RecipeError: its setting is the field at fault.
            ModelError: the model lacks what the modifier needs.
        """
        self.matched_parameters(model)

    def matched_parameters(self, model: nn.Module) -> list[str] | None:
        """Names of the parameters that the modifier would touch in `model`; None when it touches no parameter.

        Only names and shapes may be read: `recipe check` passes a model without weights.

        Raises:
            RecipeError: a pattern or a submodule matches nothing; its setting is the field at fault.
        """
        return None

    def model_notes(self, model: nn.Module) -> Iterable[str]:
        """One sentence for each setting that changes nothing on `model`, for `recipe check`."""
        return ()

    def ineffective_settings(self, num_epochs: float) -> Iterator[tuple[str, str]]:
        """Each field that changes nothing in a recipe of `num_epochs`, with the reason."""
        for field, reason in self.ineffective_fields.items():
            if field in self.model_fields_set:
                yield field, reason
        if self.begins_at >= num_epochs:
            yield "start_epoch", f"it is not below the recipe's last epoch, {num_epochs:g}"
        elif self.end_epoch == self.begins_at and not self._acts_without_length():
            yield "end_epoch", "it is the epoch at which the modifier starts"

    def _acts_without_length(self) -> bool:
        """Whether the modifier acts although it ends at the epoch at which it starts."""
        return False

    # --- training ---------------------------------------------------------------------------------------------------

    def teacher_output_keys(self, head_keys: Sequence[str]) -> Sequence[str]:
        """Names of the teacher's outputs that the modifier reads.

        Args:
            head_keys: outputs of the task's head, such as `logits`.
        """
        return ()

    def activate(self, training: TrainingContext) -> ActiveModifier | None:
        """Run state for one training, or None for a modifier that does not act on steps."""
        return None


class TeacherAccess(Protocol):
    """The teacher, as a modifier sees it."""

    @property
    def head_keys(self) -> Sequence[str]:
        """Outputs of the task's head, such as `logits`: what to match where the recipe names none."""

    @property
    def live_model(self) -> nn.Module | None:
        """The teacher in eval mode where it runs on each batch; None where its outputs were computed beforehand."""

    def outputs(self, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """The teacher's outputs for a batch, by name, each (batch, ...); it runs at most once for each batch."""

    def problem_type(self, labels: Tensor | None) -> str | None:
        """Hugging Face's name for what the outputs of a sequence mean; None: one of several classes."""


def _no_optimizer() -> Optimizer | None:
    return None


def _no_batches() -> Iterator[Mapping[str, Tensor]]:
    return iter(())


@dataclass(frozen=True)
class TrainingContext:
    """What a modifier may use of the training that it acts on.

    Attributes:
        model: the model in training; a modifier may replace modules inside it, never the model itself.
        steps_per_epoch: optimizer steps in one epoch.
        num_epochs: epochs that the training lasts.
        find_optimizer: gives the optimizer, or None before it is made.
        calibration_batches: gives batches of the training rows in their order, on the model's device. They use no
            random number of the training; take as many as you need.
        teacher: None where there is no teacher.
    """

    model: nn.Module
    steps_per_epoch: int
    num_epochs: float = 0.0
    find_optimizer: Callable[[], Optimizer | None] = _no_optimizer
    calibration_batches: Callable[[], Iterator[Mapping[str, Tensor]]] = _no_batches
    teacher: TeacherAccess | None = None

    @property
    def optimizer(self) -> Optimizer | None:
        """The optimizer; None while a resumed training restores the structure: it is made afterwards."""
        return self.find_optimizer()

    def drop_from_optimizer(self, parameters: Iterable[nn.Parameter]) -> None:
        """Lets the optimizer forget parameters that have left the model.

        A checkpoint numbers the optimizer's parameters, so one that is resumed must have those of the model and no
        others.
        """
        optimizer = self.optimizer
        if optimizer is None:
            return
        dropped = {id(parameter): parameter for parameter in parameters}
        for group in optimizer.param_groups:
            group["params"][:] = [parameter for parameter in group["params"] if id(parameter) not in dropped]
        for parameter in dropped.values():
            optimizer.state.pop(parameter, None)


@dataclass(frozen=True)
class ForwardPass:
    """One forward pass in training.

    Attributes:
        outputs: of the model, by name.
        batch: what the model was given, and what the collator added for the loss.
        labels: of the batch; None where there are none.
        epoch: of the optimizer step, counted before the step.
    """

    outputs: Mapping[str, Any]
    batch: Mapping[str, Tensor]
    labels: Tensor | None
    epoch: float


class ActiveModifier:
    """Run state of one modifier in one training; each hook runs for the modifiers in the order of the recipe.

    Epochs are fractional: the step number, counted from 0, divided by the steps of an epoch.
    """

    def before_step(self, epoch: float) -> None:
        """Runs before the first forward pass of the optimizer step that starts at `epoch`."""

    def loss(self, loss: Tensor, forward: ForwardPass) -> Tensor:
        """The loss to train on, given the loss after the modifiers before this one: a scalar.

        Runs after each forward pass in training, so several times in a step that accumulates gradients.
        """
        return loss

    def after_backward(self, epoch: float) -> None:
        """Runs when each parameter has the gradient of the whole step, clipped, before the optimizer uses it."""

    def after_step(self, epoch: float) -> None:
        """Runs after the optimizer has changed the weights."""

    def end_epoch(self, epoch: float) -> None:
        """Runs after the last step of an epoch, before a checkpoint is written there.

        Args:
            epoch: number of epochs done, 1.0 after the first.
        """

    def restore_structure(self, epoch: float) -> None:
        """Gives the model the modules that it had in a checkpoint; runs on resume, before the weights are loaded.

        Args:
            epoch: of the step that comes next; the checkpoint was written before that step.
        """

    def state(self) -> dict[str, Tensor]:
        """Tensors that a checkpoint must keep for an exact resume, by name."""
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Takes back what `state` gave."""
