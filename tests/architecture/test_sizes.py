"""Sizes and repetition; to raise a limit is a decision for a review."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parents[2]
MAX_FILE_LINES, P90_FILE_LINES = 400, 230
MAX_FUNCTION_LINES, P90_FUNCTION_LINES = 100, 20
WINDOW_LINES, MAX_REPEATED_SHARE = 12, 0.005
SOURCES = sorted(
    path
    for folder in ("sparse_core", "components", "pipelines")
    for path in (ROOT / folder).rglob("*.py")
    if "tests" not in path.parts
)
GENERATED = {"component.py"}
"""Made by `make components` from the steps: their form repeats by design."""


def _p90(values: list[int]) -> int:
    return sorted(values)[int(len(values) * 0.9)]


def _functions():
    """Each function with its lines, without its docstring."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and path.name != "pipeline.py":
                body = node.body[1:] if ast.get_docstring(node) else node.body
                lines = node.end_lineno - body[0].lineno + 1 if body else 0
                yield f"{path.relative_to(ROOT)}:{node.name}", lines


def test_files_are_short():
    lines = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in SOURCES}
    assert not {path: count for path, count in lines.items() if count > MAX_FILE_LINES}
    assert _p90(list(lines.values())) <= P90_FILE_LINES


def test_functions_are_short():
    lines = dict(_functions())
    assert not {name: count for name, count in lines.items() if count > MAX_FUNCTION_LINES}
    assert _p90(list(lines.values())) <= P90_FUNCTION_LINES


def test_code_is_not_repeated():
    windows: Counter[tuple[str, ...]] = Counter()
    for path in SOURCES:
        if path.name in GENERATED:
            continue
        lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        windows.update(tuple(lines[i : i + WINDOW_LINES]) for i in range(len(lines) - WINDOW_LINES + 1))
    repeated = {window: count for window, count in windows.items() if count > 1}
    share = sum(repeated.values()) / sum(windows.values())
    assert share <= MAX_REPEATED_SHARE, [window[0] for window in repeated][:10]


def test_no_broad_excepts():
    broad = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ExceptHandler)
        and (node.type is None or ast.unparse(node.type) in ("Exception", "BaseException"))
    ]
    assert not broad


def test_no_code_reads_the_text_of_an_error():
    """An error's setting and problem are attributes; `str(error)` of ours goes to the user alone."""
    readers = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ExceptHandler) and node.name and _catches_ours(node.type):
                readers += [
                    f"{path.relative_to(ROOT)}:{call.lineno}"
                    for call in ast.walk(node)
                    if isinstance(call, ast.Call) and ast.unparse(call) == f"str({node.name})"
                ]
    assert not readers


def _catches_ours(caught: ast.expr | None) -> bool:
    names = ("SparseCoreError", "ConfigError", "DataError", "ModelError", "RecipeError", "OutputError", "ExportError")
    return caught is not None and any(name in ast.unparse(caught) for name in names)


def test_every_error_names_its_setting_apart_from_its_text():
    """A raise with one text alone has put the setting into the text."""
    bare = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = ast.unparse(node.exc.func)
                is_ours = name.endswith("Error") and name not in _FOREIGN and not name.startswith("argparse")
                if is_ours and len(node.exc.args) < 2 and not node.exc.keywords:
                    bare.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert not bare


_FOREIGN = {"ValueError", "AttributeError", "TypeError", "KeyError", "NotImplementedError", "RuntimeError",
            "AssertionError", "IndexError", "FileNotFoundError", "MissingValueError", "ArticleError"}  # fmt: skip
