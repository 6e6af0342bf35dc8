"""From candidates to a report: what stands above the measurements."""

from __future__ import annotations

import pytest
import torch

from sparse_core.benchmark.compare import report_title, torch_threads, with_own_logs
from sparse_core.steps.benchmark import command_line


def test_a_training_that_went_on_shows_only_its_own_epochs(make_candidate):
    first, second = {"epoch": 1.0, "loss": 2.0}, {"epoch": 2.0, "loss": 1.0}
    entry = make_candidate("sparse")
    logs = ([], [first], [first, second])

    own = with_own_logs([entry.model_copy(update={"log_history": log}) for log in logs])

    assert [candidate.log_history for candidate in own] == [[], [first], [second]]


def test_the_title_names_the_model_in_words():
    config = {"model_type": "bert", "num_hidden_layers": 6, "hidden_size": 384}
    assert report_title(config, "text_classification") == "bert, 6 layers of 384, text classification"
    assert report_title({"model_type": "other"}, "text_classification") == "other, text classification"


def test_the_command_quotes_what_a_shell_would_split():
    command = command_line([("candidates", "a b=my folder", "c=d"), ("num_runs", "3")])
    assert command == "sparse-core benchmark \\\n  --candidates 'a b=my folder' c=d \\\n  --num-runs 3"


def test_torch_has_its_threads_back():
    before = torch.get_num_threads()
    with pytest.raises(KeyError), torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        raise KeyError
    assert torch.get_num_threads() == before
