"""SparseML's `export_onnx`: a trained model to a `deployment` folder beside it, without a data set."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparse_core.artifacts.model import Model
from sparse_core.artifacts.recipe import RECIPE_NAME
from sparse_core.artifacts.record import RunRecord
from sparse_core.cli.sparseml.arguments import COMMANDS, LONGEST_DEFAULT, DataArguments, flag
from sparse_core.cli.sparseml.data import dataset_directory, task_args
from sparse_core.cli.sparseml.parser import FlagParser, instance
from sparse_core.errors import ConfigError, OutputError, did_you_mean, renamed_settings
from sparse_core.export.deployment import MODEL_NAME, write_deployment
from sparse_core.export.generated import compare_on_generated
from sparse_core.export.onnx import export_model, model_inputs
from sparse_core.export.samples import write_samples
from sparse_core.export.settings import OPSETS, WEIGHT_TYPES
from sparse_core.export.verify import Tolerance, verify
from sparse_core.modifiers.quantization.hf_quantizer import quantization_of
from sparse_core.store import MANIFEST_NAME, publishing, read_manifest, require_room
from sparse_core.tasks import DatasetSchema, get_task, read_examples, read_schema, task_of
from sparse_core.tasks.heads import label_names

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from sparse_core.tasks import Task

logger = logging.getLogger(__name__)

FOLDER_NAME = "deployment"
_STEP = "export_onnx"
_TASKS = {
    "mlm": "masked_language_modeling",
    "qa": "question_answering",
    "glue": "text_classification",
    "sentiment_analysis": "text_classification",
    "sequence_classification": "text_classification",
    "ner": "token_classification",
    **{task: task for task in COMMANDS},
}
"""SparseML's words for a task, with underscores, and ours."""
_LONGEST_GENERATED = 128
_SMALLEST_LENGTH = 8
_MOST_VERIFICATION_ROWS = 1000


@dataclass
class ExportArguments:
    """The flags of SparseML's export_onnx."""

    task: str | None = flag(None, "What the model is for: text-classification, token-classification, qa, mlm, ...")
    model_path: str | None = flag(None, "Directory of the trained model.")
    sequence_length: int | None = flag(None, "Longest row for the comparison with torch; the model takes any length.")
    no_convert_qat: bool = flag(False, "Accepted; the graph always has QuantizeLinear and DequantizeLinear nodes.")
    finetuning_task: str | None = flag(None, "Written into the config.json of the deployment.")
    onnx_file_name: str = flag(MODEL_NAME, "Name of the exported file.")
    num_export_samples: int = flag(0, "Write so many rows of --data_args and the outputs for them as .npz files.")
    data_args: str | None = flag(
        None,
        'Rows to compare torch and ONNX Runtime on: data flags as a JSON object, {"train_file": "t.csv", ...}',
    )
    one_shot: str | None = flag(None, "Refused; quantization without training is not there yet.")
    opset: int = flag(14, "ONNX opset version, 13 to 17.")
    weight_type: str = flag("auto", "How weights of a quantized model are stored: auto, int8 or uint8.")


def parse_export(words: Sequence[str]) -> ExportArguments:
    """The arguments of the command.

    Raises:
        ConfigError: a flag is unknown, or a value cannot be used.
        SystemExit: `--help` was asked for.
    """
    title = "Export a trained model to ONNX, into the folder `deployment` beside it."
    namespace = FlagParser(_STEP, title, (ExportArguments,)).parse(words)
    arguments = instance(ExportArguments, namespace)
    if arguments.one_shot is not None:
        raise ConfigError("--one_shot: a recipe is not applied without training yet; train with it before the export")
    if not arguments.model_path:
        raise ConfigError("--model_path: not given; expected the directory of a trained model")
    if arguments.opset not in OPSETS:
        raise ConfigError(f"--opset: expected {OPSETS.start} to {OPSETS.stop - 1}, got {arguments.opset}")
    if arguments.weight_type not in WEIGHT_TYPES:
        raise ConfigError(f"--weight_type: expected {', '.join(WEIGHT_TYPES)}, got '{arguments.weight_type}'")
    if arguments.sequence_length is not None and arguments.sequence_length < _SMALLEST_LENGTH:
        raise ConfigError(f"--sequence_length: expected {_SMALLEST_LENGTH} or more, got {arguments.sequence_length}")
    if Path(arguments.onnx_file_name).name != arguments.onnx_file_name or not arguments.onnx_file_name.endswith(
        ".onnx"
    ):
        raise ConfigError(
            f"--onnx_file_name: expected a file name that ends with .onnx, got '{arguments.onnx_file_name}'"
        )
    if arguments.num_export_samples < 0:
        raise ConfigError(f"--num_export_samples: expected 0 or more, got {arguments.num_export_samples}")
    if arguments.num_export_samples and arguments.data_args is None:
        raise ConfigError("--num_export_samples: needs rows; name them with --data_args '{\"validation_file\": ...}'")
    arguments.task = _task_name(arguments.task)
    return arguments


def _task_name(name: str | None) -> str:
    if name is None:
        raise ConfigError(f"--task: not given; expected one of {', '.join(_TASKS)}")
    known = name.strip().lower().replace("-", "_").replace(" ", "_")
    if known == "text_generation":
        raise ConfigError("--task: text-generation is not exported; only encoders are made sparse here")
    if known not in _TASKS:
        raise ConfigError(
            f"--task: unknown task '{name}'; accepted are {', '.join(_TASKS)}{did_you_mean(known, _TASKS)}"
        )
    return _TASKS[known]


def export(arguments: ExportArguments) -> Path:
    """Exports the model, compares ONNX Runtime with torch, and publishes `deployment` if they agree.

    Returns:
        The folder, a sibling of the model's.

    Raises:
        OutputError: the folder holds what no export has made.
        ExportError: ONNX Runtime and torch disagree; the folder is left as it was.
    """
    assert arguments.model_path is not None and arguments.task is not None
    directory = Path(arguments.model_path).resolve()
    target = directory.parent / FOLDER_NAME
    with renamed_settings({"model": "model_path", "output": "model_path"}):
        data = _data_flags(arguments, directory)
        schema, dataset = _schema(arguments, directory, data)
        task = task_of(schema)
        network = task.load_model(directory, schema, trained_head=True)
        tokenizer = task.load_tokenizer(directory)
        require_room(target, sum(weight.nbytes for weight in network.parameters()), "the exported model")
        _log_notices(arguments, network)
        with _replacing(target) as staging:
            onnx_file = staging / arguments.onnx_file_name
            inputs = [name for name in model_inputs(network) if name in tokenizer.model_input_names]
            stored = export_model(
                network, onnx_file, opset=arguments.opset, weight_type=arguments.weight_type, input_names=inputs
            )
            length = _length(arguments, tokenizer)
            if dataset is None:
                agreement = compare_on_generated(network, onnx_file, task, tokenizer, length)
            else:
                agreement = _verify(arguments, network, onnx_file, task, tokenizer, dataset, length, staging)
            if arguments.finetuning_task is not None:
                network.config.finetuning_task = arguments.finetuning_task
            stored_as = stored or "float32"
            facts = {"source": str(directory), "opset": arguments.opset, "weight_type": stored_as, "inputs": inputs}
            names = label_names(network.config) if dataset is None else schema.label_names
            labels = names if arguments.task.endswith("_classification") else []
            served = _served_length(arguments, data, tokenizer)
            write_deployment(staging, network, tokenizer, task, served, directory / RECIPE_NAME, labels, **facts)
        found = ", ".join(f"{name} {value:.4g}" for name, value in agreement.items())
        logger.info("%s: %s, opset %d; against torch: %s", target, stored_as, arguments.opset, found)
    return target


def _data_flags(arguments: ExportArguments, directory: Path) -> DataArguments | None:
    """The data flags of --data_args, else those that the model was trained with, where a command left their record."""
    assert arguments.task is not None
    command = COMMANDS[arguments.task]
    if arguments.data_args is None:
        record = RunRecord.read(directory)
        if record is not None and record.step == arguments.task:
            names = [field.name for field in fields(command.data) if field.name in record.settings]
            return command.data(**{name: record.settings[name] for name in names})
        logger.info("--model_path: no record of a training is there; the manifest has the default options of the task")
        return None
    try:
        values = json.loads(arguments.data_args)
    except json.JSONDecodeError as error:
        raise ConfigError(f"--data_args: expected a JSON object, got '{arguments.data_args}' ({error})") from None
    if not isinstance(values, dict):
        raise ConfigError(f"--data_args: expected a JSON object, got '{arguments.data_args}'")
    parser = FlagParser(f"{_STEP} --data_args", "", (command.data,))
    return instance(command.data, parser.parse(parser.words_of(values)))


def _schema(
    arguments: ExportArguments, directory: Path, data: DataArguments | None
) -> tuple[DatasetSchema, Path | None]:
    """What the model predicts, and the data to compare on: that of --data_args, else only what the model says."""
    assert arguments.task is not None
    command = COMMANDS[arguments.task]
    if data is not None and arguments.data_args is not None:
        dataset = dataset_directory(command, data, trains=False, evaluates=True)
        return read_schema(dataset), dataset
    config = Model(directory).config()
    options = {} if data is None else task_args(command, data)
    if arguments.task == "text_classification" and config.get("problem_type"):
        options["problem_type"] = config["problem_type"]
    get_task(arguments.task, options)
    return DatasetSchema(arguments.task, {}, [], {}, options), None


def _length(arguments: ExportArguments, tokenizer: Any) -> int:
    longest = tokenizer.model_max_length
    if arguments.sequence_length is None:
        return min(longest, _LONGEST_GENERATED)
    if arguments.sequence_length > longest:
        raise ConfigError(
            f"--sequence_length: expected at most {longest}, the tokens that the model can read, got "
            f"{arguments.sequence_length}"
        )
    return arguments.sequence_length


def _served_length(arguments: ExportArguments, data: DataArguments | None, tokenizer: Any) -> int:
    """--sequence_length, or most tokens in a row of the training, or what the model can read."""
    given = arguments.sequence_length or (data.max_seq_length if data is not None else None)
    return min(given or LONGEST_DEFAULT, tokenizer.model_max_length)


def _log_notices(arguments: ExportArguments, network: PreTrainedModel) -> None:
    if arguments.sequence_length is not None:
        logger.info(
            "--sequence_length: the exported model takes rows of any length; %d is the longest of the comparison",
            arguments.sequence_length,
        )
    if arguments.no_convert_qat and quantization_of(network) is not None:
        logger.warning(
            "--no_convert_qat has no effect: the graph always has QuantizeLinear and DequantizeLinear nodes around "
            "float ones, which ONNX Runtime makes integer kernels of"
        )


def _verify(
    arguments: ExportArguments,
    network: PreTrainedModel,
    onnx_file: Path,
    task: Task,
    tokenizer: Any,
    dataset: Path,
    length: int,
    staging: Path,
) -> dict[str, float]:
    """Compares on the validation rows, and writes samples of them."""
    rows = task.load_split(dataset, "validation", tokenizer, length)
    collator = task.collator(tokenizer)
    chosen = rows.select(range(min(len(rows), _MOST_VERIFICATION_ROWS)))
    result = verify(
        network, onnx_file, task, chosen, read_examples(dataset, "validation"), collator, tolerance=Tolerance()
    )
    if arguments.num_export_samples:
        samples = rows.select(range(min(len(rows), arguments.num_export_samples)))
        write_samples(staging, network, task, samples, collator)
    return {f"agreement {name}": session.agreement for name, session in result.sessions.items()}


@contextmanager
def _replacing(target: Path) -> Iterator[Path]:
    """Yields an empty folder that takes the place of `target` when the block ends well.

    Raises:
        OutputError: `target` holds something else than an earlier export.
    """
    _require_export(target)
    with publishing(target, replace=True) as staging:
        yield staging
        if target.exists():
            logger.info("%s: an earlier deployment is replaced", target)


def _require_export(target: Path) -> None:
    if not target.exists():
        return
    manifest = read_manifest(target) if target.is_dir() else {}
    present = {file.relative_to(target).as_posix() for file in target.rglob("*") if file.is_file()}
    strange = sorted(present - {MANIFEST_NAME, *manifest.get("files", {})}) if target.is_dir() else [target.name]
    if manifest.get("step") != _STEP or strange:
        what = f"holds {strange[0]}, which" if strange else "is a folder that"
        raise OutputError(
            f"--model_path: {target}, where the deployment goes, {what} no export has made; move it away, or move the "
            "model into a folder of its own"
        )
