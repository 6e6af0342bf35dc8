"""The code of docs/serve.md as it stands there, on deployments of small models, against the tasks' own predictions."""

from __future__ import annotations

import json
import random
import re
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import transformers
from tokenizers import BertWordPieceTokenizer

from sparse_core.steps.export_onnx import export_onnx
from sparse_core.steps.fetch_dataset import fetch_dataset
from sparse_core.tasks import read_examples, read_schema, task_of
from sparse_core.tasks.inference import predict, torch_forward
from sparse_core.tasks.question_answering.answers import best_text

PAGE = Path(__file__).parents[3] / "docs" / "serve.md"
TASKS = ("text_classification", "token_classification", "question_answering", "masked_language_modeling")
BLOCKS = dict(
    zip(
        ("served", *TASKS),
        re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL),
        strict=True,
    )
)
SPECIALS = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep", "mask")}
WORDS = [f"w{index}" for index in range(40)]
PIECES = ["##x", "##y"]
LENGTH = 16
Serve = Callable[..., SimpleNamespace]


def write_model(directory: Path, auto_class: Any, labels: list[str], num_outputs: int) -> None:
    """A BERT whose weights are large enough that its outputs differ from row to row."""
    torch.manual_seed(0)
    vocabulary = {token: index for index, token in enumerate([*SPECIALS.values(), *WORDS, *PIECES])}
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}
    config = transformers.BertConfig(vocab_size=len(vocabulary), max_position_embeddings=64, **sizes)
    config.num_labels = num_outputs
    if labels:
        config.id2label, config.label2id = dict(enumerate(labels)), {name: i for i, name in enumerate(labels)}
    model = auto_class.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.dim() > 1:
                parameter.normal_(std=0.6)
    model.save_pretrained(directory)
    backend = BertWordPieceTokenizer(vocabulary)._tokenizer
    backend.enable_truncation(9)  # as models on the hub have it: deployments must not cut where a training did
    names = ["input_ids", "token_type_ids", "attention_mask"]
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=backend, model_input_names=names, **SPECIALS)
    tokenizer.save_pretrained(directory)


@pytest.fixture
def serve(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Serve:
    """Makes a deployment of rows and a new model in the working directory, and runs the task's block there."""

    def serve(task_name: str, rows: list[dict[str, Any]], auto_class: Any, **task_args: Any) -> SimpleNamespace:
        monkeypatch.setenv("SPARSE_CORE_CACHE", str(tmp_path / "cache"))
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "served", raising=False)
        Path("rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
        dataset, model = tmp_path / "dataset", tmp_path / "model"
        files = dict.fromkeys(("train_file", "validation_file"), str(tmp_path / "rows.jsonl"))
        fetch_dataset(dataset, task=task_name, task_args=json.dumps(task_args), **files)
        schema = read_schema(dataset)
        num_outputs = 2 if task_name == "question_answering" else len(schema.label_names) or 1
        write_model(model, auto_class, schema.label_names, num_outputs)
        export_onnx(model, dataset, tmp_path / "out", max_seq_length=LENGTH)
        (tmp_path / "out").rename(tmp_path / "deployment")
        Path("served.py").write_text(BLOCKS["served"])
        names: dict[str, Any] = {}
        exec(compile(BLOCKS[task_name], f"{PAGE}, {task_name}", "exec"), names)
        task = task_of(schema)
        tokenizer = task.load_tokenizer(model)
        tokens = task.load_split(dataset, "validation", tokenizer, LENGTH)
        network = task.load_model(model, schema, trained_head=True)
        predictions = predict(torch_forward(network, task), task, tokens, task.collator(tokenizer), 4)
        del names["__builtins__"]
        return SimpleNamespace(
            **names, labels=schema.label_names, task=task, tokens=tokens, predictions=predictions, network=network,
            tokenizer=tokenizer, examples=read_examples(dataset, "validation"),
        )  # fmt: skip

    return serve


def texts(count: int = 12) -> list[str]:
    """Of 1 to 25 words, so that some are cut."""
    generator = random.Random(0)
    return [" ".join(generator.choices(WORDS, k=1 + 24 * row // (count - 1))) for row in range(count)]


def test_classes_of_pairs(serve: Serve) -> None:
    pairs = list(zip(texts(), reversed(texts()), strict=True))
    names = ["no", "yes", "perhaps"]
    rows = [{"text": a, "text_pair": b, "label": names[row % 3]} for row, (a, b) in enumerate(pairs)]
    found = serve("text_classification", rows, transformers.AutoModelForSequenceClassification)
    expected = [found.labels[index] for index in found.predictions]
    assert found.classify(pairs) == expected
    assert len(set(expected)) > 1


@pytest.mark.parametrize("threshold", [0.4, 0.8])
def test_several_labels_follow_the_threshold_of_the_manifest(serve: Serve, threshold: float) -> None:
    rows = [{"text": text, "labels": ["a", "b", "c"][: row % 4]} for row, text in enumerate(texts())]
    options = {"threshold": threshold}
    found = serve("text_classification", rows, transformers.AutoModelForSequenceClassification, **options)
    expected = [
        [name for name, given in zip(found.labels, row, strict=True) if given]
        for row in found.task._chosen(found.predictions)
    ]
    assert found.classify(texts()) == expected
    other = [torch.tensor(logits).sigmoid() >= 0.3 for logits in found.predictions]
    assert [len(labels) for labels in expected] != [int(row.sum()) for row in other]


def test_numbers(serve: Serve) -> None:
    rows = [{"text": text, "label": row / 8} for row, text in enumerate(texts())]
    found = serve("text_classification", rows, transformers.AutoModelForSequenceClassification)
    assert found.classify(texts()) == pytest.approx(found.predictions, abs=1e-4)
    assert max(found.predictions) - min(found.predictions) > 0.1


def test_tags_of_words(serve: Serve) -> None:
    rows = []
    for number, text in enumerate(texts()):
        words = [word + "xy"[: (number + place) % 3] for place, word in enumerate(text.split())]
        rows.append({"tokens": words, "ner_tags": [["O", "B-A", "B-B"][place % 3] for place in range(len(words))]})
    found = serve("token_classification", rows, transformers.AutoModelForTokenClassification)
    num_cut = 0
    for row, prediction in zip(rows, found.predictions, strict=True):
        tags = found.tag(row["tokens"])
        expected = [found.labels[index] for index in prediction]
        assert tags == expected + [None] * (len(tags) - len(expected))
        num_cut += len(tags) - len(expected)
    assert num_cut > 0


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"doc_stride": 2, "n_best_size": 3, "max_answer_length": 2},
        {"doc_stride": 4, "version_2_with_negative": True, "null_score_diff_threshold": -1.5},
    ],
)
def test_answers(serve: Serve, options: dict[str, Any]) -> None:
    rows = []
    for number, text in enumerate(texts()):
        is_answered = number % 3 or not options.get("version_2_with_negative")
        answers = {"text": [text.split()[0]], "answer_start": [0]} if is_answered else {"text": [], "answer_start": []}
        rows.append({"question": f" {WORDS[number]} w1", "context": text, "answers": answers})
    found = serve("question_answering", rows, transformers.AutoModelForQuestionAnswering, **options)
    expected = []
    for number, row in enumerate(rows):
        windows = [p for p, own in zip(found.predictions, found.tokens["example"], strict=True) if own == number]
        expected.append(best_text(row["context"], windows, found.task._null_threshold))
    assert [found.answer(row["question"], row["context"]) for row in rows] == expected
    assert len(found.predictions) > len(rows)
    assert not options.get("version_2_with_negative") or 0 < expected.count("") < len(rows)
    assert len(set(expected)) > 2


def test_words_at_masks(serve: Serve) -> None:
    found = serve("masked_language_modeling", [{"text": text} for text in texts()], transformers.AutoModelForMaskedLM)
    text = f"w1 [MASK] {' '.join(WORDS[:6])} [MASK] w3"
    inputs = found.tokenizer(text, return_tensors="pt")
    with torch.inference_mode():
        logits = found.network(**inputs).logits[0]
    best = logits[inputs["input_ids"][0] == found.tokenizer.mask_token_id].topk(3).indices
    words = found.fill(text)
    assert words == [found.tokenizer.convert_ids_to_tokens(row.tolist()) for row in best]
    assert len(words) == 2 and words[0] != words[1]
