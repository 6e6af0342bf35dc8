"""The `sparse-core` command: single steps, SparseML's training commands, and `recipe`.

Neither this module nor the modules of the steps import torch or transformers. These load when a step runs.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from sparse_core import __version__
from sparse_core.cli.boundary import process_boundary
from sparse_core.cli.logs import configure_logging
from sparse_core.cli.parser import Parser, add_step, flags_of, named_paths
from sparse_core.cli.recipe import add_recipe_commands
from sparse_core.cli.sparseml import EXPORT, TITLES, sparseml_command
from sparse_core.errors import ConfigError, nearest, renamed_settings
from sparse_core.steps.registry import STEPS, load_step

EXPORT_EPILOG = (
    "SparseML's form, `sparse-core export_onnx --task TASK --model_path DIR`, needs no data set; "
    "`sparse-core transformers.export_onnx --help` lists its flags."
)

_RESERVED = ("command", "run", "parser", "json", "verbose")
"""Names on the parsed command line that are no artifacts or settings of the step."""


def build_parser() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(
        prog="sparse-core",
        description="Makes Hugging Face encoders sparse and int8 for CPUs, one step at a time.",
        epilog="`sparse-core COMMAND --help` explains a command; `sparse-pipelines run CONFIG.yaml` runs all steps.",
    )
    parser.add_argument("--version", action="version", version=f"sparse-core {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)
    for name in STEPS:
        step = load_step(name)
        command = commands.add_parser(name, help=step.title, description=step.title)
        add_step(command, step)
        command.add_argument("--json", action="store_true", help="print the results as JSON")
        command.set_defaults(run=_run_step, parser=command)
        _add_verbose(command)
        if name == EXPORT:
            command.epilog = EXPORT_EPILOG
    for name, title in TITLES.items():
        commands.add_parser(name, help=title, add_help=False)
    add_recipe_commands(commands)
    return parser


def _command(words: list[str]) -> Callable[[], None]:
    _require_known(words)
    options = build_parser().parse(words)
    configure_logging(getattr(options, "verbose", False))
    return lambda: options.run(options)


def _require_known(words: list[str]) -> None:
    known = (*STEPS, *TITLES, "recipe")
    if words and not words[0].startswith("-") and words[0] not in known:
        advice = nearest(words[0].rpartition(".")[2], known) or "`sparse-core --help` lists the commands"
        raise ConfigError("", f"sparse-core: unknown command '{words[0]}'", fix=advice)


def _add_verbose(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--verbose", action="store_true", help="log more, with time and logger name on each line")


def _run_step(options: argparse.Namespace) -> None:
    step = load_step(options.command)
    values = {name: value for name, value in vars(options).items() if name not in _RESERVED}
    with renamed_settings(flags_of(step)):
        for port in step.inputs:
            if port.many and port.name in values:
                with renamed_settings({"words": port.name}):
                    values[port.name] = named_paths(values[port.name])
        results = step(**values)
    print(json.dumps(results, indent=2) if options.json else aligned(results))


def aligned(results: dict[str, Any]) -> str:
    """The results as one line each, with aligned values; floats have six significant digits."""
    width = max((len(name) for name in results), default=0)
    texts = {name: f"{value:.6g}" if isinstance(value, float) else str(value) for name, value in results.items()}
    return "\n".join(f"{name:<{width}}  {text}" for name, text in texts.items())


def main(argv: list[str] | None = None) -> int:
    """Runs one command line and returns 0; a mistake ends the process, see `process_boundary`."""
    words = sys.argv[1:] if argv is None else argv
    with process_boundary():
        try:
            run = sparseml_command(words) or _command(words)
            run()
            sys.stdout.flush()
        except BrokenPipeError:  # the reader, such as `head`, has closed the pipe
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


if __name__ == "__main__":
    sys.exit(main())
