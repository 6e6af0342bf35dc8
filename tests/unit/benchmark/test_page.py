"""The table of settings in docs/benchmark.md is made from the step; `make golden` writes it."""

from __future__ import annotations

import os
from pathlib import Path

from sparse_core.errors import plain
from sparse_core.steps.benchmark import benchmark

PAGE = Path(__file__).parents[3] / "docs" / "benchmark.md"
BEGIN, END = "<!-- generated: settings -->\n", "<!-- end of settings -->"


def settings_table() -> str:
    lines = ["| setting | default | meaning |", "|---|---|---|"]
    for setting in benchmark.settings():
        default = plain(setting.field.default) or "empty"
        lines.append(f"| `{setting.name}` | {default} | {setting.field.description} |")
    return "\n".join(lines)


def test_the_page_has_the_steps_settings():
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    expected = f"{before}{BEGIN}\n{settings_table()}\n\n{END}{after}"
    if os.environ.get("GOLDEN_UPDATE"):
        PAGE.write_text(expected, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == expected, "`make golden` rewrites it"
