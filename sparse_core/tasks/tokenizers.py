"""Tokenizers of model directories, and whether two of them are the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparse_core.artifacts.model import Model
from sparse_core.errors import ModelError
from sparse_core.store import identity
from sparse_core.tasks.quiet import quiet_transformers

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast

# Their position ids start after the padding id (transformers: create_position_ids_from_input_ids), so the table of
# max_position_embeddings rows serves two tokens fewer.
_OFFSET_POSITION_TYPES = ("roberta", "xlm-roberta", "camembert", "roberta-prelayernorm", "xlm-roberta-xl", "mpnet")
_OFFSET_POSITIONS = 2
_LENGTH_SETTINGS = ("max_length", "stride", "truncation_strategy", "pad_to_multiple_of")
"""What transformers adds to tokenizer_config.json where tokenizer.json cuts or pads."""
_SECTIONS = ("normalizer", "pre_tokenizer", "post_processor")


def load_tokenizer(directory: Path) -> PreTrainedTokenizerFast:
    """The fast tokenizer of a model directory; its `model_max_length` is what the model can read.

    Args:
        directory: with the tokenizer and the model's config.json.

    Raises:
        ModelError: the directory has no tokenizer, or one that is damaged, not fast, cannot pad, or has tokens for
            which the model has no embeddings.
    """
    from transformers import AutoTokenizer

    config = Model(directory).config()
    Model(directory).tokenizer_files()
    with quiet_transformers():
        try:
            tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True, trust_remote_code=False)
        except (OSError, ValueError, KeyError, TypeError, ImportError) as error:
            raise ModelError("model", f"its tokenizer cannot be loaded ({_first_line(error)})") from None
    if not tokenizer.is_fast:
        raise ModelError("model", "has only a slow tokenizer", fix="add its tokenizer.json")
    if tokenizer.pad_token_id is None:
        raise ModelError("model", "its tokenizer has no padding token, so rows cannot share a batch")
    num_ids, num_embeddings = 1 + max(tokenizer.get_vocab().values()), config.get("vocab_size")
    if isinstance(num_embeddings, int) and num_ids > num_embeddings:
        raise ModelError(
            "model",
            f"its tokenizer has {num_ids} tokens, but the model has embeddings for {num_embeddings} only (vocab_size "
            "in its config.json)",
            fix="use the tokenizer that the model was trained with, or enlarge the model by resize_token_embeddings",
        )
    tokenizer.model_max_length = min(tokenizer.model_max_length, max_tokens(config) or tokenizer.model_max_length)
    return tokenizer


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, directory: Path) -> None:
    """Writes the tokenizer's files without a length to cut or pad at, which would be that of the last text it read.

    Equal tokenizers give equal files whatever they have read, and who loads tokenizer.json decides about lengths.
    """
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    for name in _LENGTH_SETTINGS:
        tokenizer.init_kwargs.pop(name, None)
    tokenizer.save_pretrained(directory)


def max_tokens(config: Mapping[str, Any]) -> int | None:
    """Most tokens that a model with this config.json can read; None where it sets no limit."""
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int) or positions <= 0:
        return None
    return positions - (_OFFSET_POSITIONS if config["model_type"] in _OFFSET_POSITION_TYPES else 0)


def tokenizer_fingerprint(tokenizer: PreTrainedTokenizerFast) -> str:
    """SHA-256 over all that decides which ids a text becomes, and which of them a task knows for special ones."""
    import tokenizers

    backend = {name: part for name, part in _backend(tokenizer).items() if name not in ("truncation", "padding")}
    inputs = ",".join(tokenizer.model_input_names)
    named_ids = {name: getattr(tokenizer, f"{name}_id") for name in tokenizer.SPECIAL_TOKENS_ATTRIBUTES}
    special = json.dumps([named_ids, sorted(tokenizer.all_special_ids)], sort_keys=True)
    return identity(tokenizers.__version__, json.dumps(backend), inputs, tokenizer.truncation_side, special)


def tokenizer_difference(first: PreTrainedTokenizerFast, second: PreTrainedTokenizerFast) -> str:
    """The first difference in words; empty when there is none."""
    vocabulary, other = first.get_vocab(), second.get_vocab()
    if len(vocabulary) != len(other):
        return f"its vocabulary has {len(other)} tokens, not {len(vocabulary)}"
    for token, index in sorted(vocabulary.items(), key=lambda item: item[1]):
        if other.get(token) != index:
            return f"the token '{token}' has the id {other.get(token, 'none')}, not {index}"
    parts, other_parts = _backend(first), _backend(second)
    for section in _SECTIONS:
        if parts[section] != other_parts[section]:
            return f"its {section} is {json.dumps(other_parts[section])}, not {json.dumps(parts[section])}"
    if parts["model"].get("merges") != other_parts["model"].get("merges"):
        return "its merges differ"
    return ""


def _backend(tokenizer: PreTrainedTokenizerFast) -> dict[str, Any]:
    return json.loads(tokenizer.backend_tokenizer.to_str())


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
