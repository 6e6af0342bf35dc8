"""The `sparse-pipelines` command: run a pipeline on this machine, compile one for a cluster, or run the demo."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from sparse_core import __version__
from sparse_core.cli.boundary import process_boundary
from sparse_core.cli.logs import configure_logging
from sparse_core.cli.parser import Parser
from sparse_core.errors import OutputError

from .spec import PIPELINES


def build_parser() -> Parser:
    """The parser of the whole command line."""
    parser = Parser(
        prog="sparse-pipelines",
        description="Makes a benchmarked, sparse, int8 ONNX model by a recipe, on this machine or on a KFP cluster.",
    )
    parser.add_argument("--version", action="version", version=f"sparse-pipelines {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=Parser)

    run = commands.add_parser("run", help="Run the pipeline of a config file; finished steps are not run again.")
    run.add_argument("config", type=Path, metavar="CONFIG.yaml", help="examples/sst2.yaml explains every setting")
    run.add_argument(
        "--output-dir", type=Path, metavar="DIR", help="use this folder in place of the config's output_dir"
    )
    run.set_defaults(run=_run, parser=run)

    compiling = commands.add_parser("compile", help="Write a pipeline as KFP IR YAML, to submit it to a cluster.")
    compiling.add_argument("pipeline", choices=PIPELINES)
    compiling.add_argument("--output", type=Path, required=True, metavar="FILE.yaml", help="file to write")
    compiling.set_defaults(run=_compile, parser=compiling)

    demo = commands.add_parser("demo", help="Make a small data set and model and run the whole pipeline on them.")
    demo.add_argument("--output-dir", type=Path, default=Path("demo"), metavar="DIR", help="default: demo")
    demo.set_defaults(run=_demo, parser=demo)
    return parser


def _run(options: argparse.Namespace) -> None:
    from .config import load_config

    config = load_config(options.config)
    if options.output_dir is not None:
        config = config.with_output_dir(options.output_dir)
    from .summary import run_and_report

    run_and_report(config)


def _compile(options: argparse.Namespace) -> None:
    from .runner import load_pipeline

    pipeline = load_pipeline(options.pipeline)
    if options.output.suffix not in (".yaml", ".yml"):
        raise OutputError("--output", accepted="a name that ends in .yaml", got=str(options.output))
    from kfp.compiler import Compiler

    try:
        options.output.parent.mkdir(parents=True, exist_ok=True)
        Compiler().compile(pipeline, package_path=str(options.output))
    except OSError as error:
        raise OutputError(
            "--output", f"{options.output} cannot be written: {error.strerror}", fix="name another file"
        ) from None
    print(f"{options.output}: pipeline {options.pipeline}")


def _demo(options: argparse.Namespace) -> None:
    from .config import load_config
    from .demo import write_demo
    from .summary import run_and_report

    run_and_report(load_config(write_demo(options.output_dir)))


def main(argv: list[str] | None = None) -> int:
    """Runs one command line and returns 0; a mistake ends the process, see `process_boundary`."""
    with process_boundary():
        options = build_parser().parse(sys.argv[1:] if argv is None else argv)
        configure_logging()
        options.run(options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
