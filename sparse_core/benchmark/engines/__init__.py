"""The inference engines that can be measured, by the name that users write."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from sparse_core.benchmark.engines.base import Engine
from sparse_core.benchmark.engines.deepsparse_engine import DeepSparseEngine
from sparse_core.benchmark.engines.onnxruntime_engine import OnnxRuntimeEngine
from sparse_core.benchmark.engines.openvino_engine import OpenVinoEngine
from sparse_core.benchmark.engines.torch_engine import TorchEngine
from sparse_core.benchmark.options import ENGINE_NAMES
from sparse_core.errors import DependencyError

ENGINES: dict[str, Engine] = dict(
    zip(ENGINE_NAMES, (TorchEngine(), OnnxRuntimeEngine(), OpenVinoEngine(), DeepSparseEngine()), strict=True)
)
REFERENCE_ENGINE = OnnxRuntimeEngine.name
"""Every latency is compared with that of the reference in this engine, so it is always measured."""


def is_installed(engine: Engine) -> bool:
    """Whether the packages that `engine` needs are there; they are not imported."""
    return not _missing_packages(engine)


def _missing_packages(engine: Engine) -> list[str]:
    packages = [module.partition(".")[0] for module in engine.modules]
    return [package for package in packages if find_spec(package) is None]


def select_engines(names: Sequence[str]) -> tuple[Engine, ...]:
    """The engines to measure, in the order of `ENGINES`.

    Args:
        names: names out of `ENGINE_NAMES`; none selects every engine that is installed. The reference engine is
            always among the result.

    Raises:
        DependencyError: a named engine, or the reference engine, is not installed.
    """
    wanted = names or [name for name, engine in ENGINES.items() if is_installed(engine)]
    selected = tuple(engine for name, engine in ENGINES.items() if name in wanted or name == REFERENCE_ENGINE)
    for engine in selected:
        if missing := _missing_packages(engine):
            raise DependencyError(
                "engines",
                f"{engine.name} needs {' and '.join(missing)}, not installed here",
                fix=f"pip install '{engine.install}'",
            )
    return selected
