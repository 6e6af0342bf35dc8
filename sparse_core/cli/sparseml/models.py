"""The model to train and its teacher, from the flags that name them."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from sparse_core.artifacts.model import CONFIG_NAME, TOKENIZER_NAMES, Model
from sparse_core.errors import ConfigError, listed, nearest, renamed_settings
from sparse_core.sources.models.find import copy_model, find_model
from sparse_core.tasks.command import ModelArguments, PretrainingModelArguments
from sparse_core.tasks.tokenizers import load_tokenizer

if TYPE_CHECKING:
    from transformers import PretrainedConfig

    from sparse_core.cli.sparseml.parser import Arguments

logger = logging.getLogger(__name__)

_DEFAULT = "main"


def student_directory(arguments: Arguments, scratch: Path) -> Path:
    """The Hugging Face directory to start from.

    Args:
        arguments: the command's.
        scratch: where a model may be put that is put combined of several sources, converted, or made from scratch.

    Raises:
        ConfigError: no model is named, or flags contradict one another.
        ModelError: a source cannot be read, or the model cannot read the tokens of --tokenizer_name.
    """
    model = arguments.model
    if model.model_name_or_path is None:
        if isinstance(model, PretrainingModelArguments) and (model.model_type or model.config_name):
            return _from_scratch(model, arguments.training.seed, scratch / "new")
        raise ConfigError("model_name_or_path", "is not given", accepted="a folder, a hub id or a zoo: stub")
    if getattr(model, "model_type", None):
        logger.warning("--model_type has no effect: it is for a model from scratch, without --model_name_or_path")
    if getattr(model, "config_overrides", None):
        raise ConfigError(
            "config_overrides", "is for a model from scratch", fix="leave out --model_name_or_path, or the overrides"
        )
    source = _directory_of(model, "model_name_or_path", model.model_name_or_path, model.model_revision)
    directory = _as_safetensors(source, scratch / "student")
    if model.config_name is None and model.tokenizer_name is None:
        return directory
    combined = scratch / "combined"
    combined.mkdir()
    for file in directory.iterdir():
        if file.is_file():
            (combined / file.name).symlink_to(file.resolve())
    if model.config_name is not None:
        _replace(combined, [CONFIG_NAME], _directory_of(model, "config_name", model.config_name, config_only=True))
    if model.tokenizer_name is not None:
        source = _directory_of(model, "tokenizer_name", model.tokenizer_name)
        with renamed_settings({"model": "tokenizer_name"}):
            Model(source).tokenizer_files()
            _replace(combined, list(TOKENIZER_NAMES), source)
            load_tokenizer(combined)
    return combined


def teacher_directory(arguments: Arguments, scratch: Path) -> Path:
    """The Hugging Face directory of --distill_teacher.

    Raises:
        ModelError: it cannot be found.
    """
    name = arguments.recipe.distill_teacher
    assert name is not None
    return _as_safetensors(_directory_of(arguments.model, "distill_teacher", name), scratch / "teacher")


def _directory_of(
    model: ModelArguments, flag: str, name: str, revision: str = _DEFAULT, config_only: bool = False
) -> Path:
    with renamed_settings({"model": f"--{flag}", "revision": "--model_revision"}):
        return find_model(
            name,
            "" if revision == _DEFAULT else revision,
            cache_dir=model.cache_dir or "",
            use_auth_token=model.use_auth_token,
            config_only=config_only,
        )


def _as_safetensors(directory: Path, converted: Path) -> Path:
    """`directory`, or a copy of it where its weights are pickles."""
    if not Model(directory).has_pickled_weights():
        return directory
    converted.mkdir()
    copy_model(directory, converted)
    return converted


def _replace(directory: Path, names: list[str], source: Path) -> None:
    for name in names:
        (directory / name).unlink(missing_ok=True)
        if (source / name).is_file():
            (directory / name).symlink_to((source / name).resolve())


def _from_scratch(model: PretrainingModelArguments, seed: int, directory: Path) -> Path:
    """Writes a model of random weights, for the vocabulary of its tokenizer, to `directory`."""
    import transformers

    if model.tokenizer_name is None:
        raise ConfigError(
            "tokenizer_name", "is not given, and a model from scratch needs a tokenizer", fix="name an existing one"
        )
    tokenizer_source = _directory_of(model, "tokenizer_name", model.tokenizer_name)
    directory.mkdir()
    with renamed_settings({"model": "tokenizer_name"}):
        for name in Model(tokenizer_source).tokenizer_files():
            shutil.copyfile(tokenizer_source / name, directory / name)
    tokenizer = transformers.AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    config = _config(model)
    config.vocab_size = len(tokenizer)
    config.pad_token_id = tokenizer.pad_token_id
    transformers.set_seed(seed)
    try:
        network = transformers.AutoModelForMaskedLM.from_config(config)
    except (ValueError, TypeError, KeyError, RuntimeError) as error:
        setting = "config_name" if model.config_name is not None else "config_overrides"
        raise ConfigError(setting, f"no model can be made of it: {' '.join(str(error).split())}") from None
    logger.info("a new %s of %.1f million parameters, with random weights", config.model_type, _millions(network))
    network.save_pretrained(directory)
    return directory


def _millions(network: object) -> float:
    return network.num_parameters() / 1e6  # type: ignore[attr-defined]


def _config(model: PretrainingModelArguments) -> PretrainedConfig:
    import transformers
    from transformers import CONFIG_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

    if model.config_name is not None:
        if model.config_overrides:
            raise ConfigError(
                "config_overrides", "does not go with --config_name", fix="write the values into its config.json"
            )
        directory = _directory_of(model, "config_name", model.config_name, config_only=True)
        return transformers.AutoConfig.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
    accepted = sorted({config.model_type for config in MODEL_FOR_MASKED_LM_MAPPING})
    if model.model_type not in accepted:
        raise ConfigError(
            "model_type",
            accepted=f"one of {listed(accepted)}",
            got=model.model_type,
            fix=nearest(model.model_type, accepted),
        )
    config = CONFIG_MAPPING[model.model_type]()
    if model.config_overrides:
        try:
            config.update_from_string(model.config_overrides)
        except ValueError as error:
            raise ConfigError(
                "config_overrides", f"{error}", accepted="name=value,name=value", got=model.config_overrides
            ) from None
    return config
