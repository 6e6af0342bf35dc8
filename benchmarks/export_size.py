"""Size, time and memory of exporting a BERT-base whose encoder is 90% zeros.

Usage: python benchmarks/export_size.py

Builds the model with random weights, once as float32 and once quantized with ranges from one random batch, exports
each in a process of its own, and prints one JSON object.
"""

from __future__ import annotations

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SPARSITY = 0.9
GZIP_LEVEL = 6


def main() -> None:
    """Runs the two exports and prints their figures beside the limits."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--export", choices=("float32", "int8"), help="run one export in this process")
    parser.add_argument("--path", type=Path, help="where --export writes the ONNX file")
    arguments = parser.parse_args()
    if arguments.export:
        print(json.dumps(export(arguments.path, quantized=arguments.export == "int8")))
        return
    with tempfile.TemporaryDirectory() as directory:
        exports = {kind: _in_own_process(kind, Path(directory) / f"{kind}.onnx") for kind in ("float32", "int8")}
    float_bytes = exports["float32"]["onnx_bytes"]
    int8 = exports["int8"]
    ratios = {
        "int8_over_float32": int8["onnx_bytes"] / float_bytes,
        "gzipped_int8_over_float32": int8["gzipped_bytes"] / float_bytes,
        "peak_rss_over_float32_weights": int8["peak_rss_bytes"] / int8["float32_weight_bytes"],
    }
    print(json.dumps({"sparsity": SPARSITY, "ratios": ratios, "exports": exports}, indent=2))


def _in_own_process(kind: str, path: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "--export", kind, "--path", str(path)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])


def export(path: Path, *, quantized: bool) -> dict[str, float]:
    """Makes the model and exports it; returns the time, memory and sizes."""
    import torch
    from transformers import BertConfig, BertForSequenceClassification

    from sparse_core.export.onnx import export_model
    from sparse_core.modifiers.quantization.hf_quantizer import apply_quantization
    from sparse_core.modifiers.quantization.settings import QuantizationSettings

    torch.manual_seed(0)
    model = BertForSequenceClassification(BertConfig())
    with torch.no_grad():
        for layer in model.bert.encoder.modules():
            if isinstance(layer, torch.nn.Linear):
                layer.weight.masked_fill_(torch.rand_like(layer.weight) < SPARSITY, 0.0)
        if quantized:
            apply_quantization(model, QuantizationSettings())
            model.train()(input_ids=torch.randint(0, model.config.vocab_size, (2, 32)))
    before_bytes = _peak_rss_bytes()
    start = time.perf_counter()
    export_model(model, path)
    seconds = time.perf_counter() - start
    return {
        "seconds": seconds,
        "peak_rss_bytes": _peak_rss_bytes(),
        "peak_rss_before_export_bytes": before_bytes,
        "float32_weight_bytes": sum(weight.nbytes for weight in model.parameters()),
        "onnx_bytes": path.stat().st_size,
        "gzipped_bytes": len(gzip.compress(path.read_bytes(), GZIP_LEVEL)),
    }


def _peak_rss_bytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024  # Linux counts in KiB


if __name__ == "__main__":
    main()
