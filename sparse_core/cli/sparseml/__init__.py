"""SparseML's commands: `text_classification` and the other tasks, and its form of `export_onnx`.

Flags go in, a request comes out: the training job and the export job do the work. The flags are Hugging Face's and
many, so the modules beside this one load transformers, and are loaded only when such a command runs. The prefixes
`train.` and `transformers.` of the old commands are accepted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from sparse_core.cli.logs import configure_logging
from sparse_core.errors import DependencyError
from sparse_core.tasks import task_commands

TITLES = {name: f"{command.title}, with SparseML's flags." for name, command in task_commands().items()}
"""Training commands and the first line of their help."""

EXPORT = "export_onnx"
_EXPORT_FLAGS = ("--task", "--model_path", "--model-path")
_PREFIXES = ("transformers.", "train.")  # sparseml.transformers.train.text_classification


def sparseml_command(words: Sequence[str]) -> Callable[[], None] | None:
    """The function to run if `words` are a command in SparseML's form, else None."""
    if not words:
        return None
    name = words[0]
    for prefix in _PREFIXES:
        name = name.removeprefix(prefix)
    rest = list(words[1:])
    if name in TITLES:
        return lambda: _train(name, rest)
    if name == EXPORT and (name != words[0] or any(word.partition("=")[0] in _EXPORT_FLAGS for word in rest)):
        return lambda: _export(rest)
    return None


def _train(task: str, words: list[str]) -> None:
    configure_logging()
    _require_transformers()
    from sparse_core.cli.sparseml.parser import parse
    from sparse_core.cli.sparseml.training import run_command

    run_command(parse(task, words))


def _export(words: list[str]) -> None:
    configure_logging()
    _require_transformers()
    from sparse_core.cli.sparseml.export import export, parse_export

    export(parse_export(words))


def _require_transformers() -> None:
    try:
        import transformers  # noqa: F401
    except ImportError:
        raise DependencyError(
            "", "this command needs torch and transformers", fix="install `sparse-pipelines[train]`"
        ) from None
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # metrics and log lines in their order
