"""A config with real, small files for every local input."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import yaml
from safetensors.numpy import save_file


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, Any]:
    """Settings of a run whose files exist; paths are relative to the config's folder."""
    for name in ("train", "validation"):
        (tmp_path / f"{name}.csv").write_text("text,label\ngood,1\nbad,0\n")
    for name in ("dense", "sparse"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"model_type": "bert"}))
        save_file({"weight": numpy.zeros(1, numpy.float32)}, folder / "model.safetensors")
        (folder / "tokenizer.json").write_text("{}")
    return {
        "pipeline": "sparse_transfer",
        "output_dir": "out",
        "train_file": "train.csv",
        "validation_file": "validation.csv",
        "model": "sparse",
        "teacher_model": "dense",
        "recipe": "sst2/pruned90_quant",
    }


@pytest.fixture
def write_config(tmp_path: Path) -> Callable[[dict[str, Any]], Path]:
    """Writes settings as a config file and gives its path."""

    def write(settings: dict[str, Any]) -> Path:
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(settings, sort_keys=False))
        return path

    return write
