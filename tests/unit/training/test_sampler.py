"""The order of the rows."""

import numpy as np

from sparse_core.training.sampler import LengthGroupedSampler

LENGTHS = [(i * 37) % 58 + 3 for i in range(1003)]


def order(epoch, seed=1, batch_size=8, lengths=LENGTHS):
    """Rows of one epoch."""
    sampler = LengthGroupedSampler(lengths, batch_size, seed)
    sampler.set_epoch(epoch)
    return list(sampler)


def test_every_row_comes_once():
    assert sorted(order(0)) == list(range(1003))


def test_the_order_is_a_function_of_seed_and_epoch():
    assert order(3) == order(3)
    assert order(3) != order(4)
    assert order(3, seed=2) != order(3)


def test_batches_waste_little_padding():
    def padded(rows):
        return sum(8 * max(LENGTHS[row] for row in rows[i : i + 8]) for i in range(0, 1000, 8))

    assert padded(order(0)) / sum(LENGTHS) < 1.1
    assert padded(list(range(1003))) / sum(LENGTHS) > 1.5


def test_the_longest_row_comes_in_the_first_batch():
    assert max(LENGTHS) in [LENGTHS[row] for row in order(5)[:8]]


def test_fewer_rows_than_a_batch():
    assert sorted(order(0, lengths=[5, 2, 9])) == [0, 1, 2]


def test_an_array_of_lengths_gives_the_same_order():
    assert order(3, lengths=np.array(LENGTHS)) == order(3)
    assert all(type(row) is int for row in order(3))


def test_the_order_of_a_small_epoch():
    assert order(0, batch_size=2, lengths=[3, 9, 4, 1, 7, 2, 8, 6, 5]) == [1, 6, 8, 2, 4, 7, 0, 5, 3]


def test_no_rows():
    assert order(0, lengths=[]) == []
