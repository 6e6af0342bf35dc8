"""Sparsity over time: the curves of gradual pruning."""

from __future__ import annotations


def interpolate(fraction: float, initial: float, final: float, inter_func: str) -> float:
    """Sparsity after `fraction` (0 to 1) of the way from `initial` to `final`.

    linear: t. cubic: 1 - (1 - t)^3, fast first (Zhu and Gupta 2017, eq. 1). inverse_cubic: 1 - (1 - t)^(1/3), fast
    last.
    """
    fraction = min(max(fraction, 0.0), 1.0)
    progress = {
        "linear": fraction,
        "cubic": 1.0 - (1.0 - fraction) ** 3,
        "inverse_cubic": 1.0 - (1.0 - fraction) ** (1.0 / 3.0),
    }[inter_func]
    return initial + (final - initial) * progress
