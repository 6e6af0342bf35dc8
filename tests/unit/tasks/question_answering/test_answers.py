"""Spans from logits, texts from spans, and SQuAD's scores, against values worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest

from sparse_core.tasks.question_answering.answers import (
    WindowAnswer,
    best_over,
    best_text,
    exact_match,
    f1,
    normalized,
    window_answers,
)

CONTEXT = "one two three four"
OFFSETS = [-1, -1, -1, -1, -1, -1, 0, 3, 4, 7, 8, 13, 14, 18, -1, -1]
"""CLS, a question of one word, SEP, the four words of CONTEXT, SEP."""
LOW = -9.0


def logits(**values):
    """Eight tokens, LOW but for those named t0 to t7."""
    row = [LOW] * 8
    for name, value in values.items():
        row[int(name[1:])] = value
    return row


def answers(start, end, offsets=OFFSETS, null=0, n_best_size=20, max_answer_length=30):
    (answer,) = window_answers(
        np.array([start], dtype=np.float32),
        np.array([end], dtype=np.float32),
        [offsets],
        [null],
        n_best_size=n_best_size,
        max_answer_length=max_answer_length,
    )
    return answer


def answer(spans, scores, null_score=0.0):
    return WindowAnswer(np.array(spans, dtype=np.int32).reshape(-1, 2), np.array(scores), null_score, (0, 0))


# --- spans ----------------------------------------------------------------------------------------------------------


def test_the_best_spans_come_first_and_no_span_ends_before_it_starts():
    # starts: one 3, two 5; ends: one 4, three 2.5. two..three 7.5, one..one 7, one..three 5.5; two..one is no span
    found = answers(logits(t3=3, t4=5), logits(t3=4, t5=2.5))
    assert found.spans[:3].tolist() == [[4, 13], [0, 3], [0, 13]]
    assert found.scores[:3].tolist() == [7.5, 7.0, 5.5]
    assert len(found.spans) == 10  # of four words: 4 + 3 + 2 + 1
    assert (np.diff(found.scores) <= 0).all()


def test_only_tokens_of_the_context_count():
    found = answers(logits(t1=50, t2=50, t4=1), logits(t2=50, t7=50, t5=1))
    assert found.spans[0].tolist() == [4, 13] and found.scores[0] == 2.0
    assert found.likeliest == (1, 2)  # which compares engines, and leaves out padding alone


def test_answers_are_no_longer_than_max_answer_length_tokens():
    start, end = logits(t3=5), logits(t6=5)
    assert answers(start, end, max_answer_length=4).spans[0].tolist() == [0, 18]
    shorter = answers(start, end, max_answer_length=3)
    assert shorter.scores[0] == 5 + LOW and shorter.spans[0].tolist() in ([0, 3], [4, 18], [0, 7], [0, 13], [8, 18])
    assert answers(start, end, max_answer_length=1).spans.tolist() == [[0, 3], [14, 18], [4, 7], [8, 13]]


def test_n_best_size_limits_starts_and_ends():
    # alone, the best start (four) and the best end (one) make no span
    start, end = logits(t6=9, t3=8), logits(t3=9.5, t6=8)
    assert answers(start, end, n_best_size=1).spans.tolist() == []
    assert answers(start, end, n_best_size=2).spans.tolist() == [[0, 3], [14, 18]]


def test_a_window_without_context_has_no_span():
    found = answers(logits(t0=1), logits(t0=2), offsets=[-1] * 16)
    assert found.spans.shape == (0, 2) and found.scores.shape == (0,) and found.null_score == 3.0


def test_the_null_score_is_that_of_its_token():
    assert answers(logits(t0=1.5), logits(t0=2)).null_score == 3.5
    assert answers(logits(t0=1.5, t7=4), logits(t0=2, t7=4), null=7).null_score == 8.0


def test_padding_changes_nothing():
    start, end = logits(t3=3, t4=5), logits(t3=4, t5=2)
    alone = answers(start, end)
    padded = answers([*start, 99.0, 99.0], [*end, 99.0, 99.0])
    np.testing.assert_array_equal(padded.spans, alone.spans)
    np.testing.assert_array_equal(padded.scores, alone.scores)
    assert padded.likeliest == alone.likeliest == (4, 3)


def brute_force(start, end, offsets, n_best_size, max_answer_length):
    """Scores of all spans, one by one."""
    places = np.reshape(offsets, (-1, 2))
    context = [token for token, (first, _) in enumerate(places) if first >= 0]
    starts = sorted(context, key=lambda token: -start[token])[:n_best_size]
    ends = sorted(context, key=lambda token: -end[token])[:n_best_size]
    spans = [
        (start[s] + end[e], places[s, 0], places[e, 1]) for s in starts for e in ends if 0 <= e - s < max_answer_length
    ]
    return sorted(spans, key=lambda span: -span[0])[:n_best_size]


def test_windows_of_a_batch_are_what_each_is_alone():
    generator = np.random.default_rng(0)
    num_words = [3, 60, 25, 0]
    offsets = []
    for count in num_words:
        words = [(4 * word, 4 * word + 3) for word in range(count)]
        offsets.append(np.array([(-1, -1), *words, (-1, -1)]).ravel().tolist())
    start, end = generator.normal(size=(2, 4, 62)).astype(np.float32)
    found = window_answers(start, end, offsets, [0] * 4, n_best_size=5, max_answer_length=8)
    for window, own in enumerate(offsets):
        expected = brute_force(start[window], end[window], own, 5, 8)
        assert found[window].spans.tolist() == [[first, last] for _, first, last in expected]
        np.testing.assert_array_equal(found[window].scores, [score for score, _, _ in expected])
        assert found[window].null_score == pytest.approx(start[window, 0] + end[window, 0])
        real = len(own) // 2
        assert found[window].likeliest == (start[window, :real].argmax(), end[window, :real].argmax())


# --- texts ----------------------------------------------------------------------------------------------------------


def test_the_best_span_of_all_windows_is_the_answer():
    first, second = answer([[0, 3], [4, 7]], [2.0, 1.0]), answer([[8, 13]], [2.5])
    assert best_text(CONTEXT, [first]) == "one"
    assert best_text(CONTEXT, [first, second]) == best_text(CONTEXT, [second, first]) == "three"
    assert best_text(CONTEXT, [answer([], [])]) == ""


def test_white_space_is_no_answer_and_not_part_of_one():
    assert best_text(CONTEXT, [answer([[3, 7]], [1.0])]) == "two"
    assert best_text(CONTEXT, [answer([[3, 4], [0, 3]], [2.0, 1.0])]) == "one"


@pytest.mark.parametrize(
    ("threshold", "null_scores", "text"),
    [
        (None, (9.0, 9.0), "one"),
        (0.0, (2.0, 9.0), "one"),  # the lowest counts, and 2.0 does not exceed 2.0
        (0.0, (2.1, 9.0), ""),
        (1.0, (3.0, 3.0), "one"),
        (1.0, (3.1, 3.1), ""),
        (-1.0, (1.1, 9.0), ""),
        (-1.0, (1.0, 9.0), "one"),
    ],
)
def test_no_answer_when_its_score_exceeds_the_best_span_by_more_than_the_threshold(threshold, null_scores, text):
    first, second = answer([[0, 3]], [2.0], null_scores[0]), answer([[8, 13]], [1.5], null_scores[1])
    assert best_text(CONTEXT, [first, second], threshold) == text


def test_without_any_span_there_is_no_answer_at_any_threshold():
    assert best_text(CONTEXT, [answer([], [], -5.0)], 100.0) == ""


# --- scores ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The Saxon Garden", "saxon garden"),
        ("  a  An the\tTHE ", ""),
        ("U.S.A.", "usa"),
        ("another theory", "another theory"),  # articles are whole words
        ("the-end", "theend"),  # punctuation goes before articles are looked for
        ("the – end", "– end"),  # only ASCII's punctuation
        ("Zażółć GĘŚLĄ", "zażółć gęślą"),
        ("$1,000.50", "100050"),
        ("😀 the\u00a0end", "😀 end"),
    ],
)
def test_normalization(text, expected):
    assert normalized(text) == expected


@pytest.mark.parametrize(
    ("prediction", "gold", "expected_match", "expected_f1"),
    [
        ("the Saxon Garden.", "Saxon garden", 1.0, 1.0),
        ("Saxon Garden in Warsaw", "Saxon Garden", 0.0, 2 * 2 / (4 + 2)),
        ("Garden", "the Saxon Garden", 0.0, 2 * 1 / (1 + 2)),
        ("two two three", "two three three", 0.0, 2 * 2 / (3 + 3)),  # each word counts as often as both have it
        ("garden saxon", "saxon garden", 0.0, 1.0),
        ("Warsaw", "Paris", 0.0, 0.0),
        ("", "Paris", 0.0, 0.0),
        ("Paris", "", 0.0, 0.0),
        ("", "", 1.0, 1.0),
        ("the", "A.", 1.0, 1.0),
    ],
)
def test_exact_match_and_f1(prediction, gold, expected_match, expected_f1):
    assert exact_match(prediction, gold) == expected_match
    assert f1(prediction, gold) == pytest.approx(expected_f1)
    assert f1(gold, prediction) == pytest.approx(expected_f1)


def test_the_best_of_several_right_answers_counts():
    assert best_over(f1, "Saxon Garden", ["Paris", "the Garden", "Garden of Saxon kings"]) == pytest.approx(2 * 1 / 3)
    assert best_over(exact_match, "garden", ["Paris", "the Garden"]) == 1.0
    assert best_over(exact_match, "", []) == best_over(f1, "", []) == 1.0
    assert best_over(exact_match, "Paris", []) == best_over(f1, "Paris", []) == 0.0
