"""The inference engines that can be measured, by the name that users write."""

from __future__ import annotations

from importlib.util import find_spec

from sparse_core.benchmark.engines.base import Engine
from sparse_core.benchmark.engines.deepsparse_engine import DeepSparseEngine
from sparse_core.benchmark.engines.onnxruntime_engine import OnnxRuntimeEngine
from sparse_core.benchmark.engines.openvino_engine import OpenVinoEngine
from sparse_core.benchmark.engines.torch_engine import TorchEngine
from sparse_core.errors import ConfigError, DependencyError, did_you_mean

ENGINES: dict[str, Engine] = {
    engine.name: engine for engine in (TorchEngine(), OnnxRuntimeEngine(), OpenVinoEngine(), DeepSparseEngine())
}
REFERENCE_ENGINE = OnnxRuntimeEngine.name
"""Every latency is compared with the dense float32 model in this engine, so it is measured whatever is selected."""


def is_installed(engine: Engine) -> bool:
    """Whether the packages that `engine` needs are there; they are not imported."""
    return not _missing_packages(engine)


def _missing_packages(engine: Engine) -> list[str]:
    packages = [module.partition(".")[0] for module in engine.modules]
    return [package for package in packages if find_spec(package) is None]


def select_engines(names: str) -> tuple[Engine, ...]:
    """The engines to measure, in the order of `ENGINES`.

    Args:
        names: comma-separated engine names; "" selects every engine that is installed. The reference engine is
            always among them.

    Raises:
        ConfigError: a name is no engine.
        DependencyError: a named engine, or the reference engine, is not installed.
    """
    wanted = [name.strip() for name in names.split(",") if name.strip()]
    for name in wanted:
        if name not in ENGINES:
            raise ConfigError(
                f"engines: expected a comma-separated list of {', '.join(ENGINES)}, got '{name}'"
                f"{did_you_mean(name, ENGINES)}"
            )
    if not wanted:
        wanted = [name for name, engine in ENGINES.items() if is_installed(engine)]
    selected = tuple(engine for name, engine in ENGINES.items() if name in wanted or name == REFERENCE_ENGINE)
    for engine in selected:
        if missing := _missing_packages(engine):
            raise DependencyError(
                f"engines: '{engine.name}' needs {' and '.join(missing)}, not installed here; "
                f"pip install '{engine.install}'"
            )
    return selected
