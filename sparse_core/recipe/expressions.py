"""Arithmetic in recipes: the text inside `eval(...)`, computed on a parsed tree and never by Python's own eval."""

from __future__ import annotations

import ast
import math
import operator
import re
import warnings
from collections.abc import Callable
from typing import Any

from sparse_core.errors import RecipeError

MAX_NUMBER = 1e15
"""Largest magnitude of any number in a recipe: epochs, rates and sizes stay far below, and no power can outgrow it."""
MAX_CHARACTERS = 500
MAX_DEPTH = 50

# strings, brackets, comparisons and the rest of Python's grammar never reach its parser
_ALLOWED_TEXT = re.compile(r"[A-Za-z0-9_.+\-*/%(), \t]*")
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "abs": abs, "float": float, "int": int, "max": max, "min": min, "round": round,
}  # fmt: skip
_ACCEPTED = f"numbers, variable names, + - * / // ** %, parentheses and {', '.join(FUNCTIONS)}"

Lookup = Callable[[str], Any]


def evaluate(text: str, lookup: Lookup) -> Any:
    """Value of an expression.

    Args:
        text: what stands between the parentheses of `eval(...)`.
        lookup: gives the value of a variable; its errors pass through.

    Returns:
        An int or float of at most `MAX_NUMBER` in magnitude; for a bare name, whatever value that variable has.

    Raises:
        RecipeError: the text is not arithmetic, or a result is not a finite number within the limit. It has no place;
            the caller adds that.
        RecursionError: the caller's stack is too deep already.
    """
    if len(text) > MAX_CHARACTERS:
        raise RecipeError("", f"the expression has {len(text)} characters, at most {MAX_CHARACTERS} are accepted")
    body = _parse(text.strip())
    if isinstance(body, ast.Name):
        return lookup(body.id)
    return _number(body, lookup, depth=0)


def _parse(text: str) -> ast.expr:
    if not _ALLOWED_TEXT.fullmatch(text):
        raise RecipeError("", f"'{text}' is not arithmetic; accepted are {_ACCEPTED}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about spellings such as `1or 2`, which are refused below
            return ast.parse(text, mode="eval").body
    except (SyntaxError, ValueError, MemoryError):  # CPython's parser raises MemoryError for deep nesting
        raise RecipeError("", f"'{text}' cannot be read as arithmetic; accepted are {_ACCEPTED}") from None


def _number(node: ast.expr, lookup: Lookup, depth: int) -> int | float:
    if depth > MAX_DEPTH:
        raise RecipeError("", f"the expression is nested more than {MAX_DEPTH} deep")
    match node:
        case ast.Constant(value=value):
            return _bounded(value, node)
        case ast.Name(id=name):
            return _variable(name, lookup(name), node)
        case ast.UnaryOp(op=ast.USub() | ast.UAdd() as sign, operand=operand):
            value = _number(operand, lookup, depth + 1)
            return -value if isinstance(sign, ast.USub) else value
        case ast.BinOp(left=left, op=op, right=right):
            return _binary(node, _number(left, lookup, depth + 1), op, _number(right, lookup, depth + 1))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            return _call(node, name, [_number(argument, lookup, depth + 1) for argument in arguments])
    raise RecipeError("", f"'{ast.unparse(node)}' is not accepted in eval(...); accepted are {_ACCEPTED}")


def _variable(name: str, value: object, node: ast.expr) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RecipeError("", f"variable '{name}' is {value!r:.80}, but arithmetic needs a number")
    return _bounded(value, node)


def _binary(node: ast.BinOp, left: int | float, op: ast.operator, right: int | float) -> int | float:
    try:
        if isinstance(op, ast.Pow):
            return _power(node, left, right)
        if type(op) in _OPERATORS:
            return _bounded(_OPERATORS[type(op)](left, right), node)
    except ZeroDivisionError:
        raise RecipeError("", f"'{ast.unparse(node)}' divides by zero") from None
    raise RecipeError("", f"'{ast.unparse(node)}' is not accepted in eval(...); accepted are {_ACCEPTED}")


def _power(node: ast.BinOp, base: int | float, exponent: int | float) -> int | float:
    try:
        estimate = float(base) ** float(exponent)  # in floats, because an exact power could take hours
    except OverflowError:
        estimate = math.inf
    _bounded(estimate, node)
    return _bounded(base**exponent, node)


def _call(node: ast.Call, name: str, arguments: list[int | float]) -> int | float:
    if name == "round" and len(arguments) == 2 and not 0 <= arguments[1] <= 15:
        raise RecipeError("", f"'{ast.unparse(node)}': round takes 0 to 15 digits")
    if name in ("min", "max"):
        arguments = arguments * 2 if len(arguments) == 1 else arguments  # Python's own takes a sequence there
    try:
        return _bounded(FUNCTIONS[name](*arguments), node)
    except TypeError:
        raise RecipeError("", f"'{ast.unparse(node)}': wrong number or kind of arguments for {name}") from None


def _bounded(value: object, node: ast.expr) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RecipeError("", f"'{ast.unparse(node)}' is not a number")
    if not abs(value) <= MAX_NUMBER:  # also refuses nan
        raise RecipeError("", f"'{_shown(node)}' is beyond the largest accepted number, {MAX_NUMBER:g}")
    return value


def _shown(node: ast.expr) -> str:
    text = ast.unparse(node)
    return text if len(text) <= 60 else text[:57] + "..."
