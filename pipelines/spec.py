"""The declaration of each pipeline: its steps, and the names of their settings in the pipeline.

The config file of `sparse-pipelines` and the values of a pipeline's parameters come from these declarations.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import create_model
from pydantic.fields import FieldInfo

from sparse_core.fields import Options
from sparse_core.steps.registry import load_step
from sparse_core.steps.spec import Setting


@dataclass(frozen=True)
class Use:
    """A step in a pipeline.

    Attributes:
        step: name of the step.
        names: setting of the step -> its name in the pipeline, if the two differ.
        internal: settings that the pipeline decides and users cannot set.
        defaults: setting of the step -> its default in the pipeline, if the two differ.
    """

    step: str
    names: Mapping[str, str] = field(default_factory=dict)
    internal: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def settings(self) -> Iterator[Setting]:
        """The settings that users can set, with their names in the pipeline."""
        for setting in load_step(self.step).settings():
            if setting.name not in self.internal:
                info = setting.field
                if setting.name in self.defaults:
                    info = FieldInfo.merge_field_infos(info, default=self.defaults[setting.name])
                yield Setting(self.names.get(setting.name, setting.name), info, setting.group)


@dataclass(frozen=True)
class Pipeline:
    """A pipeline.

    Attributes:
        name: name of the pipeline, of its function and of its folder.
        uses: its steps.
        recipe_rule: function of `sparse_core.recipe` that checks its recipe.
    """

    name: str
    uses: tuple[Use, ...]
    recipe_rule: str

    def settings(self) -> dict[str, Setting]:
        """All settings by name, including those inside groups."""
        return {setting.name: setting for use in self.uses for setting in use.settings()}

    def groups(self) -> set[str]:
        """Names of the groups of settings."""
        return {setting.group for setting in self.settings().values() if setting.group}

    def settings_model(self) -> type[Options]:
        """A flat model of all settings."""
        fields: dict[str, Any] = {name: (s.field.annotation, s.field) for name, s in self.settings().items()}
        return create_model(self.name, __base__=Options, **fields)

    def parameters(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The values of the pipeline's parameters. A group holds only the settings that differ from their default."""
        parameters: dict[str, Any] = {group: {} for group in sorted(self.groups())}
        for name, setting in self.settings().items():
            if not setting.group:
                parameters[name] = values[name]
            elif values[name] != setting.field.default:
                parameters[setting.group][name] = values[name]
        return parameters


_TEACHER_RECIPE = Use(
    "fetch_recipe",
    {"recipe": "teacher_recipe", "recipe_args": "teacher_recipe_args"},
    defaults={"recipe": "dense/base"},
)
_MODEL = Use("fetch_model", {"revision": "model_revision"})
_DATA = Use("fetch_dataset", internal=("content_hash",))
_TEACHER = Use("train_teacher", {"evaluate_only": "teacher_is_trained"})
_TAIL = (Use("export_onnx"), Use("benchmark", internal=("reference",)))

SPARSE_TRANSFER = Pipeline(
    "sparse_transfer",
    (
        _DATA,
        _MODEL,
        Use("fetch_model", {"model": "teacher_model", "revision": "teacher_model_revision"}),
        Use("fetch_recipe"),
        _TEACHER_RECIPE,
        _TEACHER,
        Use("sparse_transfer"),
        Use("qat_finalize"),
        *_TAIL,
    ),
    recipe_rule="require_pruning",
)
SPARSIFY = Pipeline(
    "sparsify",
    (
        _DATA,
        _MODEL,
        Use("fetch_recipe", defaults={"recipe": "sparsify/gradual_quant"}),
        _TEACHER_RECIPE,
        _TEACHER,
        Use("prune", internal=("use_teacher_tokenizer",)),  # the teacher is the fine-tuned model itself
        Use("qat_finalize", internal=("use_teacher_tokenizer",)),
        *_TAIL,
    ),
    recipe_rule="require_gradual_pruning",
)
PIPELINES = {pipeline.name: pipeline for pipeline in (SPARSE_TRANSFER, SPARSIFY)}
"""All pipelines by name."""
