"""From a model to an ONNX file: int8 for a quantized model, float32 for any other."""

from __future__ import annotations

import copy
import inspect
import logging
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from sparse_core.errors import DependencyError, ExportError
from sparse_core.export.int8_modules import StoredType, swap_quantized_modules
from sparse_core.export.options import ExportOptions
from sparse_core.fields import validated
from sparse_core.modifiers.quantization.hf_quantizer import quantization_of

logger = logging.getLogger(__name__)

OVERFLOW_FREE_WEIGHT_BITS = 7
"""Widest signed weight whose two products with uint8 inputs fit the int16 that CPUs without VNNI add them in:
2 * 255 * 64 = 32640 < 32768."""

_INPUT_NAMES = ("input_ids", "attention_mask", "token_type_ids")
# Two shapes, to see which axes of an output follow the batch and which the sequence.
_TRACE_SHAPE = (2, 8)
_OTHER_SHAPE = (3, 11)


def export_model(
    model: PreTrainedModel,
    path: Path,
    *,
    opset: int = 14,
    weight_type: str = "auto",
    input_names: Sequence[str] | None = None,
) -> StoredType | None:
    """Writes `model` as an ONNX file with dynamic batch and sequence axes; `model` itself is not changed.

    Args:
        model: an encoder with any head; a quantized one gets integer weights, another float32.
        path: the file to write.
        opset: ONNX opset version, 13 to 17; readers that deepsparse embeds take 13 and 14 best.
        weight_type: how the weights of quantized Linear layers are stored. auto: int8 where no CPU can overflow
            (weight_bits up to 7), uint8 with zero point 128 otherwise.
        input_names: inputs of the graph; None: those of input_ids, attention_mask and token_type_ids that the model
            reads.

    Returns:
        The type that Linear weights are stored as; None for a float model.

    Raises:
        ConfigError: `opset` or `weight_type` is not one of those accepted.
        ExportError: the model was quantized but never trained so, or the exporter wrote another opset.
    """
    validated(ExportOptions, {"opset": opset, "weight_type": weight_type})
    stored_type = _stored_type(model, weight_type)
    traced = _TracedModel(_copy_sharing_tensors(model), input_names or model_inputs(model))
    if stored_type is None:
        traced.model.set_attn_implementation("eager")  # the one attention that every opset can express
    else:
        swap_quantized_modules(traced.model, stored_type)
    _export(traced.eval(), path, opset)
    _require_opset(path, opset)
    return stored_type


def model_inputs(model: PreTrainedModel) -> list[str]:
    """The tokenizer outputs that `model` reads, in the order of the graph's inputs."""
    accepted = inspect.signature(type(model).forward).parameters
    names = [name for name in _INPUT_NAMES if name in accepted]
    if getattr(model.config, "type_vocab_size", 0) < 2 and "token_type_ids" in names:
        names.remove("token_type_ids")
    return names


def _stored_type(model: PreTrainedModel, weight_type: str) -> StoredType | None:
    quantization = quantization_of(model)
    if quantization is None:
        return None
    overflow_free = quantization.settings.weight_bits <= OVERFLOW_FREE_WEIGHT_BITS
    if weight_type == "auto":
        return "int8" if overflow_free else "uint8"
    if weight_type == "uint8":
        return "uint8"
    if not overflow_free:
        logger.warning(
            "weight_type: int8 with weight_bits %d can overflow on CPUs without VNNI; weight_type uint8 cannot",
            quantization.settings.weight_bits,
        )
    return "int8"


def _copy_sharing_tensors(model: PreTrainedModel) -> PreTrainedModel:
    """A copy of the modules of `model` around the same Parameters and buffers, so that it takes no memory."""
    tensors = [*model.parameters(), *model.buffers()]
    copied = copy.deepcopy(model, memo={id(tensor): tensor for tensor in tensors})
    # Training with bf16 or fp16 leaves an autocast wrapper in the instance, which calls the model it was made for.
    copied.__dict__.pop("forward", None)
    return copied


class _TracedModel(nn.Module):
    """Takes the inputs by position and returns the output tensors as a tuple, as tracing needs it."""

    def __init__(self, model: PreTrainedModel, input_names: Sequence[str]) -> None:
        super().__init__()
        self.model = model
        self.input_names = list(input_names)

    def outputs(self, *inputs: Tensor) -> dict[str, Tensor]:
        output = self.model(**dict(zip(self.input_names, inputs, strict=True)), return_dict=True)
        return {name: value for name, value in output.items() if isinstance(value, Tensor)}

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.outputs(*inputs).values())


def _example_inputs(traced: _TracedModel, shape: tuple[int, int]) -> tuple[Tensor, ...]:
    """Inputs of `shape` (batch, sequence) for tracing; one row has padding, so that the mask is part of the graph."""
    mask = torch.ones(shape, dtype=torch.int64)
    mask[0, shape[1] // 2 :] = 0
    values = {"attention_mask": mask, "input_ids": torch.ones_like(mask)}
    device = traced.model.device
    return tuple(values.get(name, torch.zeros_like(mask)).to(device) for name in traced.input_names)


@torch.no_grad()
def _export(traced: _TracedModel, path: Path, opset: int) -> None:
    inputs = _example_inputs(traced, _TRACE_SHAPE)
    outputs = traced.outputs(*inputs)
    other_outputs = traced.outputs(*_example_inputs(traced, _OTHER_SHAPE))
    axes = {name: {0: "batch", 1: "sequence"} for name in traced.input_names}
    for name, output in outputs.items():
        axes[name] = _dynamic_axes(output, other_outputs[name])
    with warnings.catch_warnings():
        # The TorchScript exporter is chosen on purpose: the other one cannot write opsets below 18. Tracing warns of
        # every shape that becomes a Python number; verification runs other shapes than the traced one.
        warnings.filterwarnings("ignore", category=DeprecationWarning)
        warnings.filterwarnings("ignore", category=torch.jit.TracerWarning)
        warnings.filterwarnings("ignore", message="Exporting aten::index operator")  # the indices are positions
        warnings.filterwarnings("ignore", message="To copy construct from a tensor")  # DeBERTa, of a traced size
        torch.onnx.export(
            traced,
            inputs,
            str(path),
            opset_version=opset,
            input_names=traced.input_names,
            output_names=list(outputs),
            dynamic_axes=axes,
            dynamo=False,
        )


def _dynamic_axes(output: Tensor, other: Tensor) -> dict[int, str]:
    """Names of the axes of an output whose size follows the input's, from its shapes for two input shapes."""
    sizes = zip(output.shape, other.shape, strict=True)
    names = dict(zip(zip(_TRACE_SHAPE, _OTHER_SHAPE, strict=True), ("batch", "sequence"), strict=True))
    return {axis: names[pair] for axis, pair in enumerate(sizes) if pair in names}


def _require_opset(path: Path, opset: int) -> None:
    """Makes sure that the file has the opset that was asked for: exporters have been seen to write another.

    Raises:
        ExportError: it has another.
        DependencyError: the onnx package is missing.
    """
    try:
        import onnx
    except ImportError:
        raise DependencyError("", "onnx is not installed", fix="pip install 'sparse-pipelines[export]'") from None
    written = {entry.domain or "ai.onnx": entry.version for entry in onnx.load(path).opset_import}
    if written != {"ai.onnx": opset}:
        raise ExportError("opset", f"the exporter wrote {written}", accepted=str(opset))
