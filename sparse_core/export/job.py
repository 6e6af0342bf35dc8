"""One export job: from a trained model to a verified deployment. The step and SparseML's command run it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from sparse_core.artifacts.dataset import DatasetSchema
from sparse_core.artifacts.deployment import ONNX_NAME, Deployment
from sparse_core.export.deployment import complete_deployment
from sparse_core.export.generated import compare_on_generated
from sparse_core.export.onnx import export_model, model_inputs
from sparse_core.export.options import ExportOptions
from sparse_core.export.samples import write_samples
from sparse_core.export.sessions import OPTIMIZED
from sparse_core.export.verify import Tolerance, Verification, verify
from sparse_core.store import publishing, require_room
from sparse_core.tasks import Task, read_examples, task_of

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

_VALIDATION = "validation"

Results = dict[str, float | int | str]


@dataclass(frozen=True)
class Export:
    """A model that was written, with what a check needs."""

    network: PreTrainedModel
    tokenizer: PreTrainedTokenizerFast
    task: Task
    deployment: Deployment


class Check(Protocol):
    """Compares an export with its model before it is published."""

    def run(self, export: Export) -> Results:
        """What was measured.

        Raises:
            ExportError: ONNX Runtime disagrees with torch beyond the tolerance.
        """


@dataclass(frozen=True)
class RowCheck:
    """Compares both runtimes on validation rows, and keeps what was measured in verification.json.

    Attributes:
        dataset: dataset artifact.
        max_seq_length: longest row in tokens.
        tolerance: what is accepted.
        num_rows: rows to compare, spread evenly over the split, because files are often sorted by label.
        num_samples: rows to write with the model's outputs as .npz files.
    """

    dataset: Path
    max_seq_length: int
    tolerance: Tolerance
    num_rows: int
    num_samples: int = 0

    def run(self, export: Export) -> Results:
        """Agreement and metrics; where the sessions differ, the worse of the two."""
        task, collator = export.task, export.task.collator(export.tokenizer)
        rows = task.load_split(self.dataset, _VALIDATION, export.tokenizer, self.max_seq_length)
        verification = verify(
            export.network,
            export.deployment.onnx,
            task,
            rows.select(spread(len(rows), self.num_rows)),
            read_examples(self.dataset, _VALIDATION),
            collator,
            tolerance=self.tolerance,
        )
        export.deployment.write_verification(verification.to_dict())
        if self.num_samples:
            samples = rows.select(range(min(len(rows), self.num_samples)))
            write_samples(export.deployment.directory, export.network, task, samples, collator)
        return _summary(verification)


@dataclass(frozen=True)
class GeneratedCheck:
    """Compares both runtimes on generated tokens, where there are no rows.

    Attributes:
        max_seq_length: longest row in tokens.
    """

    max_seq_length: int

    def run(self, export: Export) -> Results:
        """The relative difference of each session."""
        differences = compare_on_generated(
            export.network, export.deployment.onnx, export.task, export.tokenizer, self.max_seq_length
        )
        return {f"{name}_difference": value for name, value in differences.items()}


@dataclass(frozen=True)
class ExportJob:
    """What to export, and how.

    Attributes:
        model: trained model artifact.
        schema: what the model predicts.
        label_names: names of the labels in the order of the logits; None: those of the schema.
        options: how the file is written.
        max_seq_length: longest row in tokens that the model was measured with, for the record.
        check: compares the export with the model.
        onnx_name: name of the ONNX file.
        config: entries to set in config.json.
        record: more fields of the deployment's record.
    """

    model: Path
    schema: DatasetSchema
    options: ExportOptions
    max_seq_length: int
    check: Check
    label_names: Sequence[str] | None = None
    onnx_name: str = ONNX_NAME
    config: dict[str, Any] | None = None
    record: dict[str, Any] | None = None

    def run(self, output: Path, *, replace: bool = False) -> Results:
        """Exports the model, checks the export and publishes the deployment.

        Args:
            output: where the deployment appears.
            replace: an earlier folder of that name gives way.

        Returns:
            Type and size of the file, and what the check measured.

        Raises:
            ExportError: ONNX Runtime disagrees with torch; nothing is published.
        """
        task, options = task_of(self.schema), self.options
        network = task.load_model(self.model, self.schema, trained_head=True)
        tokenizer = task.load_tokenizer(self.model)
        require_room(output, sum(weight.nbytes for weight in network.parameters()), "the exported model")
        inputs = [name for name in model_inputs(network) if name in tokenizer.model_input_names]
        with publishing(output, replace=replace) as staging:
            deployment = Deployment(staging, self.onnx_name)
            stored_type = export_model(
                network, deployment.onnx, opset=options.opset, weight_type=options.weight_type, input_names=inputs
            )
            results = self.check.run(Export(network, tokenizer, task, deployment))
            for name, value in (self.config or {}).items():
                setattr(network.config, name, value)
            size_bytes, weight_type = deployment.onnx.stat().st_size, stored_type or "float32"
            complete_deployment(
                deployment,
                network,
                tokenizer,
                task,
                self.model,
                self.schema.label_names if self.label_names is None else self.label_names,
                max_seq_length=self.max_seq_length,
                opset=options.opset,
                weight_type=weight_type,
                inputs=inputs,
                **(self.record or {}),
            )
        return {"weight_type": weight_type, "onnx_size_bytes": size_bytes, **results}


def spread(num_available: int, num_wanted: int) -> list[int]:
    """Numbers of `num_wanted` rows, or of all rows, spread evenly over a split."""
    num_rows = min(num_wanted, num_available)
    return [index * num_available // num_rows for index in range(num_rows)]


def _summary(verification: Verification) -> Results:
    sessions = verification.sessions.values()
    return {
        "num_verification_rows": verification.num_rows,
        "agreement": min(session.agreement for session in sessions),
        "rounding_agreement": verification.rounding_agreement,
        "max_abs_difference": max(session.max_abs_difference for session in sessions),
        **{f"torch_{name}": value for name, value in verification.torch_metrics.items()},
        **{f"onnx_{name}": value for name, value in verification.sessions[OPTIMIZED].metrics.items()},
    }
