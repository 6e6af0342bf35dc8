"""pyarrow, where it is installed."""

from __future__ import annotations

from typing import Any

from sparse_core.errors import DependencyError


def require_pyarrow() -> Any:
    """The module pyarrow.

    Raises:
        DependencyError: it is not installed.
    """
    try:
        import pyarrow
    except ImportError:
        raise DependencyError(
            "", "reading data needs pyarrow, which is not installed", fix="pip install sparse-pipelines[train]"
        ) from None
    return pyarrow
