"""The parts of a page that repeat code are made from it: `<!-- generated: NAME -->` to `<!-- end of NAME -->`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
_BLOCK = re.compile(r"<!-- generated: (?P<name>[^\n]+) -->\n.*?<!-- end of (?P=name) -->", re.DOTALL)


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def code(names: Iterable[str]) -> str:
    """Names as Markdown code, with commas between them."""
    return ", ".join(f"`{name}`" for name in names)


def require_current(name: str, parts: Mapping[str, Callable[[], str]]) -> None:
    """Asserts that a page of docs/ has these parts, as they are made now; with GOLDEN_UPDATE set, rewrites them first.

    Args:
        name: of the page's file.
        parts: name of a part -> what makes it.
    """
    path = DOCS / name
    page = path.read_text(encoding="utf-8")
    assert sorted(match["name"] for match in _BLOCK.finditer(page)) == sorted(parts)
    assert page.count("<!-- generated: ") == len(parts)

    def block(match: re.Match[str]) -> str:
        part = match["name"]
        return f"<!-- generated: {part} -->\n\n{parts[part]()}\n\n<!-- end of {part} -->"

    current = _BLOCK.sub(block, page)
    if os.environ.get("GOLDEN_UPDATE"):
        path.write_text(current, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == current, "run `make golden` and look at the difference"
