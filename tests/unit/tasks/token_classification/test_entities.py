"""Entities and their scores, against numbers that seqeval 1.2.2 gave."""

from __future__ import annotations

import numpy as np
import pytest

from sparse_core.tasks.token_classification.entities import EntityCounts, count_entities, inside_of, split_tag

# name, tags in the data, predicted tags, (precision, recall, f1), type -> (precision, recall, f1, entities in the data)
SEQEVAL = [
    (
        "exact",
        ["B-PER I-PER O B-LOC"],
        ["B-PER I-PER O B-LOC"],
        (1, 1, 1),
        {"LOC": (1.0, 1.0, 1.0, 1), "PER": (1.0, 1.0, 1.0, 1)},
    ),
    (
        "one entity too long",
        ["O O O B-MISC I-MISC I-MISC O", "B-PER I-PER O"],
        ["O O B-MISC I-MISC I-MISC I-MISC O", "B-PER I-PER O"],
        (0.5, 0.5, 0.5),
        {"MISC": (0.0, 0.0, 0.0, 1), "PER": (1.0, 1.0, 1.0, 1)},
    ),
    ("I starts after O", ["B-PER I-PER O I-PER"], ["I-PER I-PER O B-PER"], (1, 1, 1), {"PER": (1.0, 1.0, 1.0, 2)}),
    (
        "I of another type starts",
        ["B-PER I-LOC I-LOC O"],
        ["B-PER B-LOC I-LOC O"],
        (1, 1, 1),
        {"LOC": (1.0, 1.0, 1.0, 1), "PER": (1.0, 1.0, 1.0, 1)},
    ),
    ("B splits", ["B-PER I-PER I-PER"], ["B-PER B-PER I-PER"], (0, 0, 0), {"PER": (0.0, 0.0, 0.0, 1)}),
    (
        "IOB1 neighbours",
        ["I-PER I-PER B-PER O I-LOC"],
        ["B-PER I-PER B-PER O B-LOC"],
        (1, 1, 1),
        {"LOC": (1.0, 1.0, 1.0, 1), "PER": (1.0, 1.0, 1.0, 2)},
    ),
    (
        "IOBES",
        ["B-PER I-PER E-PER S-LOC O"],
        ["B-PER I-PER E-PER S-LOC S-LOC"],
        (0.666667, 1, 0.8),
        {"LOC": (0.5, 1.0, 0.666667, 1), "PER": (1.0, 1.0, 1.0, 1)},
    ),
    (
        "I after E and S",
        ["B-PER E-PER I-PER", "S-LOC I-LOC"],
        ["B-PER I-PER B-PER", "B-LOC S-LOC"],
        (1, 1, 1),
        {"LOC": (1.0, 1.0, 1.0, 2), "PER": (1.0, 1.0, 1.0, 2)},
    ),
    (
        "E after E",
        ["E-PER E-PER", "S-PER E-PER"],
        ["S-PER S-PER", "B-PER B-PER"],
        (1, 1, 1),
        {"PER": (1.0, 1.0, 1.0, 4)},
    ),
    ("IOE2", ["I-PER E-PER E-PER O"], ["B-PER I-PER S-PER O"], (1, 1, 1), {"PER": (1.0, 1.0, 1.0, 2)}),
    ("S joins nothing", ["B-PER S-PER I-PER"], ["B-PER B-PER B-PER"], (1, 1, 1), {"PER": (1.0, 1.0, 1.0, 3)}),
    ("O ends", ["B-PER O I-PER"], ["S-PER O E-PER"], (1, 1, 1), {"PER": (1.0, 1.0, 1.0, 2)}),
    ("a sentence ends", ["B-PER", "I-PER O"], ["B-PER", "O O"], (1, 0.5, 0.666667), {"PER": (1.0, 0.5, 0.666667, 2)}),
    ("prefixes alone", ["B I O B", "O I"], ["B I O O", "B I"], (0.5, 0.333333, 0.4), {"_": (0.5, 0.333333, 0.4, 3)}),
    (
        "a dash in the type",
        ["B-a-b I-a-b I-a", "O O"],
        ["B-a-b I-a-b I-a-b", "B-a O"],
        (0, 0, 0),
        {"a": (0.0, 0.0, 0.0, 1), "a-b": (0.0, 0.0, 0.0, 1)},
    ),
    ("O with a type", ["B-PER O-PER I-PER"], ["B-PER O I-PER"], (1, 1, 1), {"PER": (1.0, 1.0, 1.0, 2)}),
    (
        "disorder 1",
        ["O E-X O E-Y O O O O", "B-X S-Y I-Y", "O B-X I-X B-Y E-Y"],
        ["O E-X O E-Y O O O S-X", "B-X I-X I-Y", "O B-X B-X B-Y E-Y"],
        (0.5, 0.571429, 0.533333),
        {"X": (0.2, 0.333333, 0.25, 3), "Y": (1.0, 0.75, 0.857143, 4)},
    ),
    (
        "disorder 2",
        ["I-X I-X E-X E-Y I-Y O O O", "I-Y I-X O", "I-Y S-X E-X B-X E-Y"],
        ["I-X E-X E-X E-Y I-Y O O O", "I-Y S-Y O", "I-Y S-X E-X B-X O"],
        (0.7, 0.7, 0.7),
        {"X": (0.6, 0.6, 0.6, 5), "Y": (0.8, 0.8, 0.8, 5)},
    ),
    (
        "disorder 3",
        ["E-Y S-X B-X O S-X E-Y S-X O", "B-X S-Y B-X", "O I-X O I-Y B-Y"],
        ["S-Y S-X B-X O B-Y E-Y E-Y B-X", "B-X I-Y B-X", "O E-Y O I-Y B-Y"],
        (0.666667, 0.666667, 0.666667),
        {"X": (0.8, 0.571429, 0.666667, 7), "Y": (0.571429, 0.8, 0.666667, 5)},
    ),
    ("none in the data", ["O O O"], ["O B-PER O"], (0, 0, 0), {"PER": (0.0, 0.0, 0.0, 0)}),
    ("none predicted", ["O B-PER O"], ["O O O"], (0, 0, 0), {"PER": (0.0, 0.0, 0.0, 1)}),
    ("none at all", ["O O", "O"], ["O O", "O"], (0, 0, 0), {}),
]


def count(true, predicted):
    """Counts by type of sentences that are written as texts."""
    rows, other_rows = [row.split() for row in true], [row.split() for row in predicted]
    tags = sorted({tag for row in [*rows, *other_rows] for tag in row})

    def indices(rows):
        return np.array([tags.index(tag) for row in rows for tag in row], dtype=np.int64)

    sentences = np.repeat(np.arange(len(rows)), [len(row) for row in rows])
    return count_entities(indices(rows), indices(other_rows), sentences, tags)


def scores(counts):
    return counts.precision, counts.recall, counts.f1


@pytest.mark.parametrize(
    ("true", "predicted", "overall", "by_type"), [case[1:] for case in SEQEVAL], ids=[case[0] for case in SEQEVAL]
)
def test_scores_are_those_of_seqeval(true, predicted, overall, by_type):
    counts = count(true, predicted)
    assert scores(sum(counts.values(), EntityCounts())) == pytest.approx(overall, abs=1e-6)
    assert list(counts) == list(by_type)
    for name, expected in by_type.items():
        assert (*scores(counts[name]), counts[name].true) == pytest.approx(expected, abs=1e-6)


def test_counts_worked_out_by_hand():
    # persons: one of two found, and one too many; the place has the wrong end
    counts = count(["B-PER I-PER O B-PER", "B-LOC I-LOC O"], ["B-PER I-PER B-PER O", "B-LOC O O"])
    assert counts == {"LOC": EntityCounts(0, 1, 1), "PER": EntityCounts(1, 2, 2)}
    assert sum(counts.values(), EntityCounts()) == EntityCounts(correct=1, predicted=3, true=3)


def test_tags_without_a_prefix_are_types():
    # seqeval would take all of ORG for outside; neighbours of one type are one entity
    assert count(["PER PER O ORG ORG LOC"], ["PER PER O ORG LOC LOC"]) == {
        "LOC": EntityCounts(0, 1, 1),
        "ORG": EntityCounts(0, 1, 1),
        "PER": EntityCounts(1, 1, 1),
    }
    assert count(["NN NN VB . ,"], ["NN NN VB , ,"]) == {
        ",": EntityCounts(0, 1, 1),
        ".": EntityCounts(0, 0, 1),
        "NN": EntityCounts(1, 1, 1),
        "VB": EntityCounts(1, 1, 1),
    }


def test_the_ends_of_bilou_are_those_of_bies():
    bilou = count(["B-PER I-PER L-PER U-PER U-PER"], ["B-PER I-PER L-PER U-PER O"])
    assert bilou == count(["B-PER I-PER E-PER S-PER S-PER"], ["B-PER I-PER E-PER S-PER O"])
    assert bilou == {"PER": EntityCounts(2, 2, 3)}


def test_an_underscore_may_stand_for_the_dash():
    assert count(["B_PER I_PER O"], ["B-PER I-PER O"]) == {"PER": EntityCounts(1, 1, 1)}


@pytest.mark.parametrize(
    ("tag", "expected"),
    [
        ("B-PER", ("B", "PER")),
        ("I-a-b", ("I", "a-b")),
        ("S_LOC", ("S", "LOC")),
        ("L-PER", ("E", "PER")),
        ("U-PER", ("S", "PER")),
        ("O", ("O", "_")),
        ("B", ("B", "_")),
        ("B-", ("B", "_")),
        ("BAR", ("I", "BAR")),
        ("X-PER", ("I", "X-PER")),
        ("7", ("I", "7")),
    ],
)
def test_prefix_and_type(tag, expected):
    assert split_tag(tag) == expected


@pytest.mark.parametrize(
    ("tag", "expected"),
    [("B-PER", "I-PER"), ("B_PER", "I_PER"), ("B", "I"), ("I-PER", "I-PER"), ("S-PER", "S-PER"), ("BAR", "BAR")],
)
def test_the_tag_of_further_pieces(tag, expected):
    assert inside_of(tag) == expected


def test_no_tokens_have_no_entities():
    nothing = np.zeros(0, dtype=np.int64)
    assert count_entities(nothing, nothing, nothing, ["O", "B-PER"]) == {}


def test_entities_end_with_their_sentence():
    tags, true = ["O", "B-X", "I-X"], np.array([1, 2, 2])
    assert count_entities(true, true, np.array([0, 0, 0]), tags) == {"X": EntityCounts(1, 1, 1)}
    assert count_entities(true, true, np.array([0, 1, 1]), tags) == {"X": EntityCounts(2, 2, 2)}
