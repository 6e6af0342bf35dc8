"""From logits of starts and ends to spans of the context, and SQuAD's scores of answers.

The scores are those of SQuAD's evaluation scripts (Rajpurkar et al. 2016, section 6.1; version 2: Rajpurkar et al.
2018), from 0 to 1 where the scripts have 0 to 100.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class WindowAnswer(NamedTuple):
    """What the outputs for one window of a context say.

    Attributes:
        spans: int32 (spans, 2): first character of the context, and the one after the last; the best span first.
        scores: float32 (spans,): sum of the logits of start and end.
        null_score: the same sum at the token that stands for "no answer".
        likeliest: the tokens with the highest logits of start and of end, padding left out.
    """

    spans: np.ndarray
    scores: np.ndarray
    null_score: float
    likeliest: tuple[int, int]


def window_answers(
    start_logits: np.ndarray,
    end_logits: np.ndarray,
    offsets: Sequence[Sequence[int]],
    null_positions: Sequence[int],
    *,
    n_best_size: int,
    max_answer_length: int,
) -> list[WindowAnswer]:
    """The best spans of each window, of at most `max_answer_length` tokens, from its best starts and ends.

    Args:
        start_logits: float (windows, tokens), padded on the right.
        end_logits: as `start_logits`.
        offsets: of each window two integers for each token without padding: its first character in the context and
            the one after its last, or -1 and -1 for a token that is not of the context.
        null_positions: token of each window that stands for "no answer".
        n_best_size: starts and ends of a window that are combined, and spans that are kept.
        max_answer_length: most tokens in a span.
    """
    import numpy as np

    num_windows, num_tokens = start_logits.shape
    places = np.full((num_windows, num_tokens, 2), -1, dtype=np.int32)
    is_padding = np.ones((num_windows, num_tokens), dtype=bool)
    for window, flat in enumerate(offsets):
        own = np.asarray(flat, dtype=np.int32).reshape(-1, 2)
        places[window, : len(own)] = own
        is_padding[window, : len(own)] = False
    is_context = places[:, :, 0] >= 0

    each = np.arange(num_windows)[:, None]
    starts = _best(np.where(is_context, start_logits, -np.inf), n_best_size)
    ends = _best(np.where(is_context, end_logits, -np.inf), n_best_size)
    scores = start_logits[each, starts][:, :, None] + end_logits[each, ends][:, None, :]
    tokens = ends[:, None, :] - starts[:, :, None] + 1
    is_span = is_context[each, starts][:, :, None] & is_context[each, ends][:, None, :]
    is_span &= (tokens >= 1) & (tokens <= max_answer_length)
    scores = np.where(is_span, scores, -np.inf).reshape(num_windows, -1)
    best = _best(scores, n_best_size)
    num_spans = np.minimum(is_span.reshape(num_windows, -1).sum(axis=1), best.shape[1])
    first_characters = places[each, np.take_along_axis(starts, best // ends.shape[1], axis=1), 0]
    last_characters = places[each, np.take_along_axis(ends, best % ends.shape[1], axis=1), 1]
    spans = np.stack([first_characters, last_characters], axis=-1)
    best_scores = scores[each, best]

    null = np.asarray(null_positions)
    null_scores = start_logits[each[:, 0], null] + end_logits[each[:, 0], null]
    likeliest = [np.where(is_padding, -np.inf, logits).argmax(axis=1) for logits in (start_logits, end_logits)]
    return [
        WindowAnswer(
            spans[window, :count].copy(), best_scores[window, :count].copy(), float(null_scores[window]), (start, end)
        )
        for window, (count, start, end) in enumerate(
            zip(num_spans, likeliest[0].tolist(), likeliest[1].tolist(), strict=True)
        )
    ]


def _best(values: np.ndarray, count: int) -> np.ndarray:
    """Indices of the highest values of each row, highest first, of equal ones the first; (rows, up to count)."""
    import numpy as np

    return np.argsort(-values, axis=1, kind="stable")[:, :count]


def best_text(context: str, windows: Iterable[WindowAnswer], null_threshold: float | None = None) -> str:
    """The answer that the windows of one context give together; "" for none.

    Args:
        context: what the spans count characters of.
        windows: of that context.
        null_threshold: the answer is "" when the lowest null score of the windows exceeds the score of the best span
            by more than this; None: wherever there is a span, it is the answer.
    """
    windows = list(windows)
    ranked = sorted(
        ((score, span) for window in windows for score, span in zip(window.scores, window.spans, strict=True)),
        key=lambda scored: -scored[0],
    )
    texts = ((score, context[start:end].strip()) for score, (start, end) in ranked)
    score, text = next(((score, text) for score, text in texts if text), (None, ""))
    if score is None or null_threshold is None:
        return text
    return "" if min(window.null_score for window in windows) - score > null_threshold else text


def normalized(text: str) -> str:
    """The text in lower case, without ASCII punctuation, English articles, and white space at the ends or repeated."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(prediction: str, gold: str) -> float:
    """1.0 where both are the same after normalization, else 0.0."""
    return float(normalized(prediction) == normalized(gold))


def f1(prediction: str, gold: str) -> float:
    """Harmonic mean of the shares of words that each has in common with the other, after normalization.

    Where one has no words it is 1.0 if both have none, else 0.0. The script of SQuAD version 1 gives 0 in both cases,
    though it calls the former an exact match.
    """
    predicted_words, gold_words = normalized(prediction).split(), normalized(gold).split()
    if not predicted_words or not gold_words:
        return float(predicted_words == gold_words)
    num_common = sum((Counter(predicted_words) & Counter(gold_words)).values())
    return 2 * num_common / (len(predicted_words) + len(gold_words))


def best_over(score: Callable[[str, str], float], prediction: str, golds: Sequence[str]) -> float:
    """The highest score of a prediction over the answers that count as right; with none of these, "" is right."""
    return max(score(prediction, gold) for gold in golds or [""])
