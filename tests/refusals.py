"""Assertions about the errors that a user can cause: class, setting and line, never the wording."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from sparse_core.errors import SparseCoreError


@contextmanager
def refused(error: type[SparseCoreError], setting: str, line: int | None = None) -> Iterator[None]:
    """Asserts that the block raises `error` about `setting`, at `line` of its file where that is given."""
    with pytest.raises(error) as caught:
        yield
    assert type(caught.value) is error
    assert caught.value.setting == setting
    assert line is None or (caught.value.place is not None and caught.value.place.line == line)
    assert "\n" not in str(caught.value)
