"""The config file of `sparse-pipelines run`: a typed model for each pipeline, with the pipeline's parameter names.

Read with a safe YAML loader. Paths are relative to the config file, so that a run does not depend on where it is
started.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Literal, cast

import yaml
from pydantic import ConfigDict, Field, ValidationError, field_validator

from sparse_core.errors import ConfigError, did_you_mean, shown
from sparse_core.fields import Options, misfit

RUN_FIELDS = ("pipeline", "output_dir")
"""Fields that say what is run and where to; all others are parameters of the pipeline."""

_MAPPINGS = {
    "recipe_args": "{num_epochs: 3}",
    "teacher_recipe_args": "{num_epochs: 3}",
    "task_args": "{doc_stride: 64}",
    "training_arguments": "{bf16: true}",
}
"""Settings that are JSON objects for the pipelines, and an example of how the config says each."""


class PipelineConfig(Options):
    """Settings that the pipelines share. Where a step reads a setting before any training, its range is the step's."""

    model_config = ConfigDict(protected_namespaces=())

    local_inputs: ClassVar[dict[str, tuple[str, ...]]]
    """Content hash parameter to the fields whose files it covers."""

    pipeline: str
    output_dir: str = Field("output", min_length=1)

    task: str = "text_classification"
    train_file: str = ""
    validation_file: str = ""
    test_file: str = ""
    dataset_name: str = ""
    dataset_config_name: str = ""
    dataset_revision: str = ""
    task_name: str = ""
    text_column: str = ""
    label_column: str = ""
    validation_ratio: float = 0.0
    eval_on_test: bool = False
    max_train_samples: int = Field(0, ge=0)
    max_eval_samples: int = Field(0, ge=0)
    max_predict_samples: int = Field(0, ge=0)
    task_args: str = ""

    model: str = Field(min_length=1)
    model_revision: str = ""
    recipe_args: str = ""
    teacher_recipe: str = Field("dense/base", min_length=1)
    teacher_recipe_args: str = ""
    teacher_is_trained: bool = False

    max_seq_length: int = Field(128, ge=1)
    per_device_train_batch_size: int = Field(32, ge=1)
    per_device_eval_batch_size: int = Field(64, ge=1)
    gradient_accumulation_steps: int = Field(1, ge=1)
    seed: int = Field(42, ge=0)
    training_arguments: str = ""

    opset: int = 14
    weight_type: str = "auto"
    min_agreement: float = 0.99
    max_metric_loss: float = 0.005
    num_verification_rows: int = 1000

    batch_sizes: str = "1,16"
    sequence_lengths: str = "32,128"
    num_threads: int = 0
    num_runs: int = 30
    num_warmup_runs: int = 5
    engines: str = ""

    @field_validator(*_MAPPINGS, mode="before")
    @classmethod
    def _mapping_as_json(cls, value: Any) -> Any:
        return json.dumps(value) if isinstance(value, dict) else value

    @field_validator("text_column", "batch_sizes", "sequence_lengths", "engines", mode="before")
    @classmethod
    def _list_as_text(cls, value: Any) -> Any:
        if isinstance(value, list):
            return ",".join(str(item) for item in value)
        return str(value) if isinstance(value, int | float) else value

    def parameters(self) -> dict[str, Any]:
        """The pipeline's parameters, content hashes left out."""
        return self.model_dump(exclude=set(RUN_FIELDS))

    def relative_to(self, folder: Path) -> PipelineConfig:
        """The same settings with every local path made absolute; hub ids and built-in names stay."""
        changed: dict[str, str] = {"output_dir": str(_in(folder, self.output_dir).absolute())}
        for field in {field for fields in self.local_inputs.values() for field in fields}:
            value = cast(str, getattr(self, field))
            is_path = "\n" not in value and "://" not in value
            if value and is_path and (is_data_file(field) or _in(folder, value).exists()):
                changed[field] = str(_in(folder, value).absolute())
        return self.model_copy(update=changed)


def _in(folder: Path, value: str) -> Path:
    return folder / Path(value).expanduser()


def is_data_file(field: str) -> bool:
    """Whether the field can only be a path; the others may also be a hub id or a built-in name."""
    return field.endswith("_file")


DATA_FIELDS = ("train_file", "validation_file", "test_file")
DATASET_FIELDS = (*DATA_FIELDS, "dataset_name")


class SparseTransferConfig(PipelineConfig):
    """Settings of the pipeline `sparse_transfer`: a sparse checkpoint learns a task from a dense teacher."""

    local_inputs: ClassVar[dict[str, tuple[str, ...]]] = {
        "dataset_hash": DATASET_FIELDS,
        "model_hash": ("model",),
        "teacher_model_hash": ("teacher_model",),
        "recipe_hash": ("recipe",),
        "teacher_recipe_hash": ("teacher_recipe",),
    }

    pipeline: Literal["sparse_transfer"] = "sparse_transfer"
    teacher_model: str = Field(min_length=1)
    teacher_model_revision: str = ""
    use_teacher_tokenizer: bool = False
    recipe: str = Field(min_length=1)


class SparsifyConfig(PipelineConfig):
    """Settings of the pipeline `sparsify`: a dense model is fine-tuned, pruned and quantized."""

    local_inputs: ClassVar[dict[str, tuple[str, ...]]] = {
        "dataset_hash": DATASET_FIELDS,
        "model_hash": ("model",),
        "recipe_hash": ("recipe",),
        "teacher_recipe_hash": ("teacher_recipe",),
    }

    pipeline: Literal["sparsify"] = "sparsify"
    recipe: str = Field("sparsify/gradual_quant", min_length=1)


CONFIGS: dict[str, type[PipelineConfig]] = {"sparse_transfer": SparseTransferConfig, "sparsify": SparsifyConfig}


def load_config(path: Path) -> PipelineConfig:
    """The settings in a YAML file.

    Raises:
        ConfigError: the file cannot be read, is no mapping, or a setting is unknown, missing, given twice or out of
            range; the message names the file, and the line where there is one.
    """
    settings, lines = _read(path)
    name = settings.get("pipeline", "sparse_transfer")
    if not isinstance(name, str) or name not in CONFIGS:
        raise ConfigError(
            f"{path}{_line(lines, 'pipeline')}: pipeline: expected one of {', '.join(CONFIGS)}, got {name!r}"
        )
    config_type = CONFIGS[name]
    for key in settings:
        if key not in config_type.model_fields:
            near = did_you_mean(str(key), config_type.model_fields)
            raise ConfigError(f"{path}{_line(lines, key)}: unknown setting '{key}' for the pipeline {name}{near}")
    try:
        config = config_type.model_validate(settings, strict=False)
    except ValidationError as error:
        raise ConfigError(_first_mistake(path, config_type, error, lines)) from None
    return config.relative_to(path.parent)


def _read(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """The settings, and the line on which each stands (from 1)."""
    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, yaml.SafeLoader)
        settings = yaml.safe_load(text)
    except FileNotFoundError:
        raise ConfigError(f"config: {path} does not exist; name a YAML file, such as examples/sst2.yaml") from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"config: {path} cannot be read as UTF-8 text: {error}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"config: {path} is not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(root, yaml.MappingNode) or not isinstance(settings, dict):
        raise ConfigError(f"config: {path} must hold `setting: value` lines, got {type(settings).__name__}")
    return settings, _lines_of_keys(path, root)


def _lines_of_keys(path: Path, root: yaml.MappingNode) -> dict[str, int]:
    lines: dict[str, int] = {}
    for key, _ in root.value:
        line = key.start_mark.line + 1
        if key.value in lines:
            raise ConfigError(f"{path}, line {line}: {key.value} is already set on line {lines[key.value]}; remove one")
        lines[key.value] = line
    return lines


def _line(lines: dict[str, int], key: object) -> str:
    return f", line {lines[key]}" if isinstance(key, str) and key in lines else ""


def _first_mistake(path: Path, config_type: type[PipelineConfig], error: ValidationError, lines: dict[str, int]) -> str:
    found = misfit(config_type, error)
    field, value, message = found.setting, found.got, f"expected {found.accepted}, got {shown(found.got)}"
    if field not in lines:
        return f"{path}: {field} is required and not set; add a line `{field}: ...`"
    if value in (None, ""):
        return f"{path}{_line(lines, field)}: {field} has no value; give one or remove the line"
    if field in _MAPPINGS:
        message = f"expected a mapping such as {_MAPPINGS[field]}, got {shown(value)}"
    elif config_type.model_fields[field].annotation is str:
        message = f"expected text, got {shown(value)}{'' if isinstance(value, list | dict) else '; put it in quotes'}"
    return f"{path}{_line(lines, field)}: {field}: {message}"


def local_paths(config: PipelineConfig, fields: Iterable[str]) -> list[Path]:
    """The existing local files and folders among the values of `fields`."""
    values = (cast(str, getattr(config, field)) for field in fields)
    return [Path(value) for value in values if value and "\n" not in value and Path(value).exists()]
