"""What each candidate is: its weights, its scores, and the file that stands for it in the ONNX engines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import onnx

from sparse_core.artifacts.deployment import Deployment
from sparse_core.artifacts.model import Model
from sparse_core.artifacts.report_parts import Candidate, ExportCheck, RecipeSpan, Score
from sparse_core.benchmark.candidates import CandidateFolder
from sparse_core.benchmark.engines import ENGINES, REFERENCE_ENGINE
from sparse_core.benchmark.evaluation import Evaluation
from sparse_core.benchmark.model_files import describe_onnx
from sparse_core.benchmark.onnx_weights import count_weights
from sparse_core.errors import renamed_settings
from sparse_core.export.onnx import export_model, model_inputs
from sparse_core.export.options import NEWEST_OPSET, OLDEST_OPSET
from sparse_core.modifiers.base import UNSET_EPOCH
from sparse_core.modifiers.pruning.report import sparsity_report
from sparse_core.modifiers.quantization.hf_quantizer import quantization_of
from sparse_core.recipe import load_recipe
from sparse_core.store import require_room
from sparse_core.tasks.inference import torch_forward

if TYPE_CHECKING:
    from transformers import PreTrainedModel

FLOAT, INT8, SIMULATED_INT8 = "fp32", "int8", "int8 simulated"
"""Precisions: a model in torch only simulates int8, in float32."""
_FLOAT_BYTES = 4
_DEFAULT_OPSET = 14


@dataclass(frozen=True)
class Examined:
    """A candidate with all that was found out before its speed is measured.

    Attributes:
        folder: the candidate as it was given.
        entry: its entry in the report.
        onnx: the file that the ONNX engines run; None for a model that simulates int8.
        scores: its scores in each engine.
    """

    folder: CandidateFolder
    entry: Candidate
    onnx: Path | None
    scores: list[Score]


def examine(
    folders: Sequence[CandidateFolder], evaluation: Evaluation, reference: str, num_threads: int, scratch: Path
) -> list[Examined]:
    """Examines one candidate after the other, so that one model at a time is in memory.

    Args:
        folders: the candidates.
        evaluation: measures scores.
        reference: name of the candidate whose float export is scored in the reference engine too.
        num_threads: threads of the reference engine.
        scratch: folder for the exports of float models.
    """
    opset = _common_opset(folders)
    examined: dict[str, Examined] = {}
    for number, folder in enumerate(folders):
        if folder.kind == "model":
            path = scratch / f"{number}.onnx"
            examined[folder.name] = _examine_model(folder, evaluation, path, opset)
        else:
            examined[folder.name] = _examine_deployment(folder)
    return [_with_all_scores(examined[folder.name], examined, evaluation, reference, num_threads) for folder in folders]


def _common_opset(folders: Sequence[CandidateFolder]) -> int:
    """The opset of the first deployment, so that the float exports have the same, as far as they can."""
    for folder in folders:
        if folder.kind == "deployment":
            versions = onnx.load(folder.onnx, load_external_data=False).opset_import
            own = next(entry.version for entry in versions if entry.domain in ("", "ai.onnx"))
            return min(max(own, OLDEST_OPSET), NEWEST_OPSET)
    return _DEFAULT_OPSET


def _examine_model(folder: CandidateFolder, evaluation: Evaluation, path: Path, opset: int) -> Examined:
    with renamed_settings({"model": folder.setting}):
        module = evaluation.task.load_model(folder.directory, evaluation.schema, trained_head=True)
    scores = [evaluation.score(folder, "torch", torch_forward(module, evaluation.task))]
    is_float = quantization_of(module) is None
    if is_float:
        _export_float(module, path, opset, evaluation.rows(folder)[0].column_names)
    zeros = sparsity_report(module)
    entry = Candidate(
        name=folder.name,
        kind=folder.kind,
        directory=str(folder.directory),
        made_by=folder.made_by(),
        precision=FLOAT if is_float else SIMULATED_INT8,
        num_parameters=module.num_parameters(),
        encoder_sparsity=zeros.encoder,
        model_sparsity=zeros.model,
        sparsity_by_kind=zeros.by_kind,
        sparsity_by_layer=zeros.layers,
        file=describe_onnx(path)[0] if is_float else None,
        recipe=_recipe_spans(folder.directory),
        log_history=Model(folder.directory).log_history(),
    )
    return Examined(folder, entry, path if is_float else None, scores)


def _export_float(module: PreTrainedModel, path: Path, opset: int, columns: Sequence[str]) -> None:
    """Writes a float model as ONNX, with those of its inputs that the tokenized rows have."""
    require_room(path.parent, module.num_parameters() * _FLOAT_BYTES, "an ONNX file to measure")
    inputs = [name for name in model_inputs(module) if name in columns]
    export_model(module, path, opset=opset, input_names=inputs)


def _examine_deployment(folder: CandidateFolder) -> Examined:
    file, precision = describe_onnx(folder.onnx)
    counts = count_weights(onnx.load(folder.onnx))
    entry = Candidate(
        name=folder.name,
        kind=folder.kind,
        directory=str(folder.directory),
        made_by=folder.made_by(),
        exported_from=folder.exported_from,
        precision=precision,
        num_parameters=counts.num_parameters,
        encoder_sparsity=counts.encoder,
        model_sparsity=counts.model,
        sparsity_by_kind=counts.by_kind,
        sparsity_by_layer=counts.by_layer,
        file=file,
        verification=_verification(folder.directory),
    )
    return Examined(folder, entry, folder.onnx, [])


def _with_all_scores(
    examined: Examined, others: dict[str, Examined], evaluation: Evaluation, reference: str, num_threads: int
) -> Examined:
    """Adds the scores in the reference engine for deployments and the reference, and those of a deployment's source.

    Other float exports are not scored there: they are made in the same way as the reference's.
    """
    folder, scores = examined.folder, list(examined.scores)
    if source := others.get(folder.exported_from):
        scores += [score.model_copy(update={"candidate": folder.name}) for score in source.scores]
    if examined.onnx is not None and (folder.kind == "deployment" or folder.name == reference):
        forward = ENGINES[REFERENCE_ENGINE].load(examined.onnx, num_threads)
        scores.append(evaluation.score(folder, REFERENCE_ENGINE, forward))
    return Examined(folder, examined.entry, examined.onnx, scores)


def _verification(directory: Path) -> ExportCheck | None:
    """What the export measured; None where it compared no rows."""
    verification = Deployment(directory).verification()
    return ExportCheck.model_validate(verification) if verification else None


def _recipe_spans(directory: Path) -> list[RecipeSpan]:
    """The modifiers of the recipe that a model was trained with, with the epochs in which they act."""
    if not Model(directory).recipe_path.is_file():
        return []
    recipe = load_recipe(directory)
    return [
        RecipeSpan(
            name=type(modifier).__name__.removesuffix("Modifier"),
            start_epoch=modifier.begins_at,
            end_epoch=recipe.num_epochs if modifier.end_epoch == UNSET_EPOCH else modifier.end_epoch,
        )
        for modifier in recipe.modifiers
    ]
