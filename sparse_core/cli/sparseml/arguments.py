"""The flags that all training commands share, as dataclasses: a field is a flag, its help is in the metadata.

Those of a task are in `command.py` of its folder. Loads nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass

from sparse_core.tasks.command import flag

DISABLE_TEACHER = "disable"
SELF_TEACHER = "self"
LONGEST_DEFAULT = 512
"""Tokens of a row where neither the user nor the model sets a limit."""


@dataclass
class RecipeArguments:
    """Flags of the recipe and the teacher."""

    _argument_group_name = "recipe"

    recipe: str | None = flag(None, "A built-in recipe's name, a .yaml or .md file, a zoo: stub, or the recipe's text.")
    recipe_args: str | None = flag(
        None, "New values for the recipe's variables: a JSON object, or name=value,name:value."
    )
    distill_teacher: str | None = flag(
        None, "The teacher: a folder, hub id or zoo: stub; self: a copy of the model; disable: none."
    )
    one_shot: bool = flag(False, "Refused; a recipe cannot be applied without training yet.")
