"""SparseML's `export_onnx`: from its flags to an export job; it needs no dataset artifact."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparse_core.artifacts.dataset import DatasetSchema, read_schema
from sparse_core.artifacts.deployment import EXPORT_STEP, ONNX_NAME, Deployment
from sparse_core.artifacts.model import Model
from sparse_core.artifacts.record import RunRecord
from sparse_core.cli.sparseml.arguments import LONGEST_DEFAULT
from sparse_core.cli.sparseml.data import dataset_directory, task_args
from sparse_core.cli.sparseml.parser import FlagParser, instance
from sparse_core.errors import ConfigError, OutputError, listed, nearest, renamed_settings
from sparse_core.export.job import Check, ExportJob, GeneratedCheck, RowCheck
from sparse_core.export.options import ExportOptions
from sparse_core.export.verify import Tolerance
from sparse_core.fields import json_object, validated
from sparse_core.tasks import get_task, load_tokenizer, task_class, task_commands
from sparse_core.tasks.command import DataArguments, flag
from sparse_core.tasks.heads import label_names

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

logger = logging.getLogger(__name__)

FOLDER_NAME = "deployment"
_TASKS = {word: name for name, command in task_commands().items() for word in (*command.aliases, name)}
"""SparseML's words for a task, with underscores, and ours."""
_LONGEST_GENERATED = 128
_SMALLEST_LENGTH = 8
_RENAMED = {"model": "model_path", "output": "model_path", "task_args": "data_args"}


@dataclass
class ExportArguments:
    """The flags of SparseML's export_onnx."""

    task: str | None = flag(None, "What the model is for: text-classification, token-classification, qa, mlm, ...")
    model_path: str | None = flag(None, "Folder of the trained model.")
    sequence_length: int | None = flag(None, "Longest row of the comparison with torch; the model takes any length.")
    no_convert_qat: bool = flag(False, "Accepted; the graph always has QuantizeLinear and DequantizeLinear nodes.")
    finetuning_task: str | None = flag(None, "Written into the config.json of the deployment.")
    onnx_file_name: str = flag(ONNX_NAME, "Name of the exported file.")
    num_export_samples: int = flag(0, "Rows of --data_args to write as .npz files, with the model's outputs.")
    data_args: str | None = flag(
        None,
        'Rows to compare torch and ONNX Runtime on: data flags as a JSON object, {"train_file": "t.csv", ...}',
    )
    one_shot: str | None = flag(None, "Refused; a recipe cannot be applied without training yet.")
    opset: int = flag(14, "ONNX opset version, 13 to 17.")
    weight_type: str = flag("auto", "How weights of a quantized model are stored: auto, int8 or uint8.")


def parse_export(words: Sequence[str]) -> ExportArguments:
    """The arguments of the command.

    Raises:
        ConfigError: a flag is unknown, or a value cannot be used.
        SystemExit: `--help` was asked for.
    """
    title = "Export a trained model to ONNX, into the folder `deployment` beside it."
    namespace = FlagParser(EXPORT_STEP, title, (ExportArguments,)).parse(words)
    arguments = instance(ExportArguments, namespace)
    with renamed_settings(_flag):
        _require_usable(arguments)
        arguments.task = _task_name(arguments.task)
    return arguments


def _flag(name: str) -> str:
    """The flag of a setting; names that are no flag stay."""
    name = _RENAMED.get(name, name)
    return f"--{name}" if name in ExportArguments.__dataclass_fields__ else name


def _require_usable(arguments: ExportArguments) -> None:
    if arguments.one_shot is not None:
        raise ConfigError(
            "one_shot", "a recipe cannot be applied without training yet", fix="train with it before the export"
        )
    if not arguments.model_path:
        raise ConfigError("model_path", "is not given", accepted="the folder of a trained model")
    validated(ExportOptions, {"opset": arguments.opset, "weight_type": arguments.weight_type})
    if arguments.sequence_length is not None and arguments.sequence_length < _SMALLEST_LENGTH:
        raise ConfigError("sequence_length", accepted=f"{_SMALLEST_LENGTH} or more", got=arguments.sequence_length)
    name = arguments.onnx_file_name
    if Path(name).name != name or not name.endswith(".onnx"):
        raise ConfigError("onnx_file_name", accepted="a file name that ends with .onnx", got=name)
    if arguments.num_export_samples < 0:
        raise ConfigError("num_export_samples", accepted="0 or more", got=arguments.num_export_samples)
    if arguments.num_export_samples and arguments.data_args is None:
        raise ConfigError(
            "num_export_samples", "needs rows", fix="name them with --data_args '{\"validation_file\": ...}'"
        )


def _task_name(name: str | None) -> str:
    if name is None:
        raise ConfigError("task", "is not given", accepted=f"one of {listed(_TASKS)}")
    word = name.strip().lower().replace("-", "_").replace(" ", "_")
    if word == "text_generation":
        raise ConfigError("task", "text-generation is not exported; only encoders are made sparse here")
    if word not in _TASKS:
        raise ConfigError("task", accepted=f"one of {listed(_TASKS)}", got=name, fix=nearest(word, _TASKS))
    return _TASKS[word]


def export(arguments: ExportArguments) -> Path:
    """Exports the model and publishes `deployment` beside it if ONNX Runtime agrees with torch.

    Returns:
        The folder.

    Raises:
        OutputError: the folder holds what no export has written.
        ExportError: ONNX Runtime and torch disagree; the folder is left as it was.
    """
    assert arguments.model_path is not None
    model = Path(arguments.model_path).resolve()
    target = model.parent / FOLDER_NAME
    with renamed_settings(_flag):
        _require_replaceable(target)
        job = _job(arguments, model)
        _log_notices(arguments, model)
        if target.exists():
            logger.info("%s: an earlier deployment is replaced", target)
        results = job.run(target, replace=True)
    measured = ", ".join(f"{name} {value:.4g}" for name, value in results.items() if isinstance(value, float))
    logger.info("%s: %s, opset %d; against torch: %s", target, results["weight_type"], arguments.opset, measured)
    return target


def _job(arguments: ExportArguments, model: Path) -> ExportJob:
    data = _data_flags(arguments, model)
    schema, dataset = _schema(arguments, model, data)
    tokenizer = load_tokenizer(model)
    length = _check_length(arguments, tokenizer)
    options = ExportOptions(opset=arguments.opset, weight_type=arguments.weight_type)
    check: Check = GeneratedCheck(length)
    if dataset is not None:
        num_rows, num_samples = options.num_verification_rows, arguments.num_export_samples
        check = RowCheck(dataset, length, Tolerance(), num_rows, num_samples)
    return ExportJob(
        model,
        schema,
        options,
        _served_length(arguments, data, tokenizer),
        check,
        label_names=_labels(schema, model, dataset),
        onnx_name=arguments.onnx_file_name,
        config=None if arguments.finetuning_task is None else {"finetuning_task": arguments.finetuning_task},
        record={"source": str(model)},
    )


def _data_flags(arguments: ExportArguments, model: Path) -> DataArguments | None:
    """The data flags of --data_args; without it, those of the training, if the model folder has its record."""
    assert arguments.task is not None
    command = task_commands()[arguments.task]
    if arguments.data_args is None:
        record = RunRecord.read(model)
        if record is not None and record.step == arguments.task:
            names = [field.name for field in fields(command.data) if field.name in record.settings]
            return command.data(**{name: record.settings[name] for name in names})
        logger.info("--model_path: has no record of a training for this task; the task's default options are recorded")
        return None
    with renamed_settings({"value": "data_args"}):
        values = json_object(arguments.data_args, '{"validation_file": "v.csv"}')
    parser = FlagParser(f"{EXPORT_STEP} --data_args", "", (command.data,))
    return instance(command.data, parser.parse(parser.words_of(values)))


def _schema(arguments: ExportArguments, model: Path, data: DataArguments | None) -> tuple[DatasetSchema, Path | None]:
    """What the model predicts, and the data to compare on. Without --data_args only the model says what it predicts."""
    assert arguments.task is not None
    command = task_commands()[arguments.task]
    if data is not None and arguments.data_args is not None:
        dataset = dataset_directory(command, data, trains=False, evaluates=True)
        return read_schema(dataset), dataset
    options = {} if data is None else task_args(command, data)
    options |= task_class(arguments.task).options_of_model(Model(model).config())
    get_task(arguments.task, options)
    return DatasetSchema(arguments.task, {}, [], {}, options), None


def _labels(schema: DatasetSchema, model: Path, dataset: Path | None) -> list[str]:
    if not task_class(schema.task).head.has_labels:
        return []
    if dataset is not None:
        return schema.label_names
    from transformers import AutoConfig

    return label_names(AutoConfig.from_pretrained(model, local_files_only=True, trust_remote_code=False))


def _check_length(arguments: ExportArguments, tokenizer: PreTrainedTokenizerFast) -> int:
    longest = tokenizer.model_max_length
    if arguments.sequence_length is None:
        return min(longest, _LONGEST_GENERATED)
    if arguments.sequence_length > longest:
        raise ConfigError(
            "sequence_length",
            accepted=f"at most {longest}, the tokens that the model can read",
            got=arguments.sequence_length,
        )
    return arguments.sequence_length


def _served_length(arguments: ExportArguments, data: DataArguments | None, tokenizer: Any) -> int:
    """--sequence_length, or the longest row of the training, or what the model can read."""
    wanted = arguments.sequence_length or (data.max_seq_length if data is not None else None)
    return min(wanted or LONGEST_DEFAULT, tokenizer.model_max_length)


def _log_notices(arguments: ExportArguments, model: Path) -> None:
    if arguments.sequence_length is not None:
        logger.info(
            "--sequence_length: the exported model takes rows of any length; %d is the longest of the comparison",
            arguments.sequence_length,
        )
    if arguments.no_convert_qat and "quantization_config" in Model(model).config():
        logger.warning(
            "--no_convert_qat has no effect: the graph always has QuantizeLinear and DequantizeLinear nodes around "
            "float ones, which ONNX Runtime turns into integer kernels"
        )


def _require_replaceable(target: Path) -> None:
    """Refuses a deployment folder that holds more than an earlier export."""
    if not target.exists():
        return
    deployment = Deployment(target)
    is_export = target.is_dir() and deployment.record() is not None
    foreign = deployment.foreign_file() if target.is_dir() else target.name
    if is_export and foreign is None:
        return
    what = f"holds {foreign}, which" if foreign else "is a folder that"
    raise OutputError(
        "model_path",
        f"{target}, where the deployment goes, {what} no export has written",
        fix="move it away, or move the model into a folder of its own",
    )
