"""Flags that SparseML had and that are an error here; those that transformers had are in training.old_arguments."""

from __future__ import annotations

REFUSED = {
    "trust_remote_code": "code from a model's repository is never run; use an architecture that transformers has",
}
"""Flag -> why it is an error."""
