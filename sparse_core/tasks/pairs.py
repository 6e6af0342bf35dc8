"""Room for two texts in one row of tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparse_core.errors import ConfigError

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerFast


def room_for_pair(tokenizer: PreTrainedTokenizerFast, max_seq_length: int, pair: str = "two texts") -> int:
    """Tokens of a row that remain for two texts beside the special ones, at least one for each.

    Raises:
        ConfigError: there are fewer; the message names the `pair`.
    """
    room = max_seq_length - tokenizer.num_special_tokens_to_add(pair=True)
    if room < 2:
        raise ConfigError(
            "max_seq_length",
            accepted=f"at least {max_seq_length - room + 2}, room for {pair} beside special tokens",
            got=max_seq_length,
        )
    return room
