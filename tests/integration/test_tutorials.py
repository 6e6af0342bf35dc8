"""The commands of SparseML's tutorials on tiny data; only the first word and the sources differ.

Hub data sets and the hub's RoBERTa teacher are folders here, and a mirror answers the stubs. The recipes are the tutorials'
own; `--recipe_args` shortens them to two epochs (see SHORT) and the teachers' recipes to one.
"""

# ruff: noqa: E501  the commands have their own line breaks

from __future__ import annotations

import csv
import json
import random
import shlex

import datasets
import pytest
import torch
import transformers
from safetensors.torch import load_file
from tokenizers import BertWordPieceTokenizer, ByteLevelBPETokenizer

from sparse_core.cli.main import main
from sparse_core.modifiers.pruning.masks import keep_top
from sparse_core.modifiers.pruning.parameters import prunable_parameters

UPSTREAM = "zoo:nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus"
SHORT = {"num_epochs": 2, "qat_start_epoch": 1.0, "observer_epoch": 1.5}
SHORT_TEACHER = {"num_epochs": 1}
WORDS = [f"word{i}" for i in range(30)]
EMOTIONS = ["anger", "joy", "optimism", "sadness"]
TAGS = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
ROWS, EVAL_ROWS = 48, 16


# --- stand-ins --------------------------------------------------------------------------------------------------------


def _text(rng, count=6):
    return " ".join(rng.choices(WORDS, k=rng.randint(2, count)))


def _single(rng, names):
    label = rng.randrange(len(names))
    return {"text": f"{_text(rng)} {names[label]}", "label": label}


def _pair(first, second, num_labels):
    def row(rng):
        return {first: _text(rng), second: _text(rng), "label": rng.randrange(num_labels)}

    return row


def _tagged(rng):
    length = rng.randint(2, 7)
    return {"tokens": rng.choices(WORDS, k=length), "ner_tags": [rng.randrange(len(TAGS)) for _ in range(length)]}


def _question(rng):
    context = rng.sample(WORDS, 12)
    answer = rng.choice(context)
    text = " ".join(context)
    answers = {"text": [answer], "answer_start": [text.split(" ").index(answer) and text.index(f" {answer}") + 1]}
    if text.startswith(f"{answer} "):
        answers["answer_start"] = [0]
    return {
        "id": str(rng.random()),
        "title": "t",
        "context": text,
        "question": f"where is {answer}",
        "answers": answers,
    }


def _split(make_row, count, seed, features=None):
    rng = random.Random(seed)
    return datasets.Dataset.from_list([make_row(rng) for _ in range(count)], features=features)


def _save(directory, make_row, features=None, evaluation=("validation",)):
    splits = {"train": _split(make_row, ROWS, 0, features)}
    splits |= {name: _split(make_row, EVAL_ROWS, seed, features) for seed, name in enumerate(evaluation, start=1)}
    datasets.DatasetDict(splits).save_to_disk(str(directory))
    return splits


def _classes(names, *texts):
    return datasets.Features(
        {**dict.fromkeys(texts, datasets.Value("string")), "label": datasets.ClassLabel(names=names)}
    )


def _write_data(root):
    """The data sets as directories, and the files that the tutorials make of them, in the working directory."""
    _save(root / "sst2", lambda rng: {"sentence": _text(rng), "label": rng.randrange(2)}, _classes(["negative", "positive"], "sentence"))  # fmt: skip
    nli = ["entailment", "neutral", "contradiction"]
    matched = ("validation_matched", "validation_mismatched")
    _save(root / "mnli", _pair("premise", "hypothesis", 3), _classes(nli, "premise", "hypothesis"), matched)
    _save(root / "qqp", _pair("question1", "question2", 2), _classes(["no", "yes"], "question1", "question2"))
    _save(root / "sick", _pair("sentence_A", "sentence_B", 3), _classes(nli, "sentence_A", "sentence_B"))
    _save(root / "rotten_tomatoes", lambda rng: _single(rng, ["neg", "pos"]), _classes(["neg", "pos"], "text"))
    emotion = _save(root / "saved_emotion", lambda rng: _single(rng, EMOTIONS), _classes(EMOTIONS, "text"))
    tags = datasets.Features(
        {"tokens": datasets.List(datasets.Value("string")), "ner_tags": datasets.List(datasets.ClassLabel(names=TAGS))}
    )
    _save(root / "conll2003", _tagged, tags)
    wnut = _save(root / "wnut_17", _tagged, tags)
    squad = _save(root / "squad", _question)
    for split, rows in emotion.items():
        folder = root / "tweet_eval" / "emotion" / split
        folder.mkdir(parents=True)
        rows.to_parquet(str(folder / "0000.parquet"))
        with open(f"emotion-{split}.csv", "w", newline="") as stream:  # with the index that pandas puts first
            csv.writer(stream).writerows([["", "text", "label"], *([i, row["text"], row["label"]] for i, row in enumerate(rows))])  # fmt: skip
    for split, rows in wnut.items():
        with open(f"wnut_17-{split}.json", "w") as stream:
            for row in rows:
                stream.write(json.dumps({"tokens": row["tokens"], "named_ner_tags": [TAGS[i] for i in row["ner_tags"]]}) + "\n")  # fmt: skip
    for name, split in (("train", "train"), ("val", "validation")):
        with open(f"squadshifts-{name}.json", "w") as stream:
            json.dump({"data": list(squad[split])}, stream, indent=2)


def _tokenizer(directory):
    directory.mkdir(parents=True)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "where", "is", "neg", "pos", *EMOTIONS, *WORDS]
    (directory / "vocab.txt").write_text("\n".join(words) + "\n")
    backend = BertWordPieceTokenizer(str(directory / "vocab.txt"), lowercase=True)
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend._tokenizer, unk_token="[UNK]", pad_token="[PAD]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]", model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    ).save_pretrained(directory)  # fmt: skip
    return len(words)


def _bert(directory, kind, sparsity=0.0, **values):
    num_words = _tokenizer(directory)
    config = transformers.BertConfig(
        vocab_size=num_words, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=384, **values,
    )  # fmt: skip
    model = getattr(transformers, kind)(config)
    with torch.no_grad():
        for name, weight in prunable_parameters(model).items():
            if ".layer." in name:
                weight.mul_(keep_top(weight.abs(), sparsity))
    model.save_pretrained(directory)


def _roberta(directory, num_labels):
    directory.mkdir(parents=True)
    backend = ByteLevelBPETokenizer()
    backend.train_from_iterator([" ".join(WORDS), " ".join(EMOTIONS)], vocab_size=400,
                                special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"])  # fmt: skip
    transformers.PreTrainedTokenizerFast(
        tokenizer_object=backend._tokenizer, bos_token="<s>", cls_token="<s>", pad_token="<pad>", eos_token="</s>",
        sep_token="</s>", unk_token="<unk>", mask_token="<mask>", model_input_names=["input_ids", "attention_mask"],
    ).save_pretrained(directory)  # fmt: skip
    config = transformers.RobertaConfig(
        vocab_size=backend.get_vocab_size(), hidden_size=32, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=64, max_position_embeddings=200, num_labels=num_labels, pad_token_id=1,
    )  # fmt: skip
    transformers.RobertaForSequenceClassification(config).save_pretrained(directory)


def _write_mirror(mirror):
    """Models and recipes where SparseZoo had them: the sparse encoder, dense ones, and teachers."""
    torch.manual_seed(0)
    nlp, obert = mirror / "nlp", "obert-base/pytorch/huggingface"
    upstream = nlp / "masked_language_modeling"
    _bert(upstream / obert / "wikipedia_bookcorpus/pruned90-none/training", "BertForMaskedLM", 0.9)
    _bert(upstream / obert / "wikipedia_bookcorpus/base-none/training", "BertForMaskedLM")
    _bert(upstream / "bert-base/pytorch/huggingface/wikipedia_bookcorpus/base-none/training", "BertForMaskedLM")
    teachers = {"sentiment_analysis/{}/sst2": 2, "text_classification/{}/mnli": 3, "text_classification/{}/qqp": 2}
    for place, num_labels in teachers.items():
        directory = nlp / place.format(obert) / "base-none/training"
        _bert(directory, "BertForSequenceClassification", num_labels=num_labels)
    _bert(nlp / f"question_answering/{obert}/squad/base-none/training", "BertForQuestionAnswering")
    _bert(nlp / f"token_classification/{obert}/conll2003/base-none/training", "BertForTokenClassification",
          id2label=dict(enumerate(TAGS)), label2id={tag: i for i, tag in enumerate(TAGS)})  # fmt: skip
    recipes = nlp / "question_answering/bert-base/pytorch/huggingface/squad/pruned-aggressive_98/recipe"
    recipes.mkdir(parents=True)
    (recipes / "recipe_original.md").write_text(AGGRESSIVE_RECIPE)


AGGRESSIVE_RECIPE = """---
num_epochs: 30
training_modifiers:
  - !EpochRangeModifier
    start_epoch: 0.0
    end_epoch: eval(num_epochs)
pruning_modifiers:
  - !GMPruningModifier
    params: ["re:bert.encoder.layer.*.weight"]
    init_sparsity: 0.0
    final_sparsity: 0.9
    start_epoch: 0.0
    end_epoch: eval(num_epochs / 2)
    update_frequency: 0.1
---
# SQuAD, 98% sparse
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Working directory with data, mirror and a cache of its own."""
    root = tmp_path_factory.mktemp("tutorials")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        patch.setenv("SPARSE_CORE_CACHE", str(root / "cache"))
        patch.setenv("SPARSE_CORE_ZOO_MIRROR", str(root / "mirror"))
        _write_data(root / "data")
        _write_mirror(root / "mirror")
        _roberta(root / "roberta", len(EMOTIONS))
        yield root


# --- the commands -----------------------------------------------------------------------------------------------------

SST2 = """
sparseml.transformers.text_classification \\
  --task_name sst2 \\
  --model_name_or_path zoo:nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus/pruned90-none \\
  --recipe zoo:nlp/sentiment_analysis/obert-base/pytorch/huggingface/sst2/pruned90_quant-none \\
  --distill_teacher zoo:nlp/sentiment_analysis/obert-base/pytorch/huggingface/sst2/base-none \\
  --output_dir sparse_quantized_bert-text_classification_sst2 \\
  --max_seq_length 128 --per_device_train_batch_size 32 --per_device_eval_batch_size 32 --preprocessing_num_workers 6 \\
  --do_train --do_eval --evaluation_strategy epoch --fp16 --save_strategy epoch --save_total_limit 1
"""
MNLI = """
sparseml.transformers.train.text_classification \\
  --task_name mnli \\
  --model_name_or_path zoo:nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus/pruned90-none \\
  --recipe zoo:nlp/text_classification/obert-base/pytorch/huggingface/mnli/pruned90_quant-none \\
  --distill_teacher zoo:nlp/text_classification/obert-base/pytorch/huggingface/mnli/base-none \\
  --output_dir sparse_quantized_bert-text_classification_mnli \\
  --do_train --do_eval --max_seq_length 128 --evaluation_strategy epoch --logging_steps 1000 --save_steps 1000 \\
  --per_device_train_batch_size 8 --per_device_eval_batch_size 32 --gradient_accumulation_steps 4 --preprocessing_num_workers 32 \\
  --seed 5114
"""
QQP = """
sparseml.transformers.train.text_classification \\
  --task_name qqp \\
  --model_name_or_path zoo:nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus/pruned90-none \\
  --recipe zoo:nlp/text_classification/obert-base/pytorch/huggingface/qqp/pruned90_quant-none \\
  --distill_teacher zoo:nlp/text_classification/obert-base/pytorch/huggingface/qqp/base-none \\
  --output_dir obert_base_pruned90_quant_qqp \\
  --do_train --do_eval --evaluation_strategy epoch --logging_steps 1000 --save_steps 1000 \\
  --per_device_train_batch_size 32 --per_device_eval_batch_size 32 --preprocessing_num_workers 32 \\
  --max_seq_length 128 \\
  --seed 10194
"""
EMOTION_CSV = """
sparseml.transformers.text_classification \\
  --model_name_or_path zoo:nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus/pruned90-none \\
  --recipe zoo:nlp/sentiment_analysis/obert-base/pytorch/huggingface/sst2/pruned90_quant-none \\
  --recipe_args '{"num_epochs":12,"qat_start_epoch":7.0, "observer_epoch": 11.0}' \\
  --distill_teacher disable \\
  --train_file ./emotion-train.csv --validation_file ./emotion-validation.csv \\
  --input_column_names "text" --label_column_name "label" \\
  --output_dir sparse_quantized_bert-text_classification_tweet_eval_emotion-csv \\
  --do_train --do_eval --max_seq_length 128 --evaluation_strategy epoch --logging_steps 1000 --save_steps 1000 \\
  --per_device_train_batch_size 8 --per_device_eval_batch_size 32 --gradient_accumulation_steps 4 --preprocessing_num_workers 32 \\
  --seed 5114
"""
SICK = """
sparseml.transformers.text_classification \\
  --model_name_or_path zoo:nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus/pruned90-none \\
  --recipe zoo:nlp/text_classification/obert-base/pytorch/huggingface/mnli/pruned90_quant-none \\
  --distill_teacher disable \\
  --dataset_name sick --input_column_names 'sentence_A,sentence_B' --label_column_name 'label' \\
  --output_dir sparse_quantized_bert-text_classification_sick \\
  --do_train --do_eval --max_seq_length 128 --evaluation_strategy epoch --logging_steps 1000 --save_steps 1000 \\
  --per_device_train_batch_size 8 --per_device_eval_batch_size 32 --gradient_accumulation_steps 4 --preprocessing_num_workers 32 \\
  --seed 5114
"""
ROTTEN_TOMATOES_TEACHER = """
sparseml.transformers.train.text_classification \\
  --output_dir dense-teacher_rotten_tomatoes \\
  --model_name_or_path zoo:nlp/masked_language_modeling/bert-base/pytorch/huggingface/wikipedia_bookcorpus/base-none \\
  --recipe zoo:nlp/sentiment_analysis/bert-base/pytorch/huggingface/sst2/base-none \\
  --recipe_args '{"init_lr":0.00003}' \\
  --dataset_name rotten_tomatoes --input_column_names "text" --label_column_name "label" \\
  --max_seq_length 128 --per_device_train_batch_size 32 --per_device_eval_batch_size 32 --preprocessing_num_workers 6 \\
  --do_train --do_eval --evaluation_strategy epoch --fp16  \\
  --save_strategy epoch --save_total_limit 1
"""
ROTTEN_TOMATOES = """
sparseml.transformers.text_classification \\
  --model_name_or_path zoo:nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus/pruned90-none \\
  --recipe zoo:nlp/sentiment_analysis/obert-base/pytorch/huggingface/sst2/pruned90_quant-none \\
  --recipe_args '{"num_epochs":12,"qat_start_epoch":7.0, "observer_epoch": 11.0}' \\
  --distill_teacher ./dense-teacher_rotten_tomatoes \\
  --dataset_name rotten_tomatoes --input_column_names "text" --label_column_name "label" \\
  --output_dir sparse_quantized_bert-text_classification_rotten_tomatoes-hf_dataset --max_seq_length 128 --per_device_train_batch_size 32 \\
  --per_device_eval_batch_size 32 --preprocessing_num_workers 6 --do_train --do_eval --evaluation_strategy epoch --fp16  \\
  --save_strategy epoch --save_total_limit 1
"""
EMOTION_ROBERTA = """
sparseml.transformers.text_classification \\
  --model_name_or_path zoo:nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus/pruned90-none \\
  --recipe zoo:nlp/sentiment_analysis/obert-base/pytorch/huggingface/sst2/pruned90_quant-none \\
  --distill_teacher cardiffnlp/twitter-roberta-base-emotion \\
  --use_teacher_tokenizer true \\
  --dataset_name tweet_eval --dataset_config_name emotion \\
  --input_column_names "text" --label_column_name "label" \\
  --output_dir sparse_quantized_bert-text_classification_tweet_eval_emotion \\
  --do_train --do_eval --max_seq_length 128 --evaluation_strategy epoch --logging_steps 1000 --save_steps 1000 \\
  --per_device_train_batch_size 8 --per_device_eval_batch_size 32 --gradient_accumulation_steps 4 --preprocessing_num_workers 32 \\
  --seed 5114
"""
CONLL = """
sparseml.transformers.train.token_classification \\
  --model_name_or_path zoo:nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus/pruned90-none \\
  --recipe zoo:nlp/token_classification/obert-base/pytorch/huggingface/conll2003/pruned90_quant-none \\
  --distill_teacher zoo:nlp/token_classification/obert-base/pytorch/huggingface/conll2003/base-none \\
  --dataset_name conll2003 \\
  --output_dir sparse_bert-token_classification_conll2003 \\
  --per_device_train_batch_size 32 --per_device_eval_batch_size 32 --preprocessing_num_workers 6 \\
  --do_train --do_eval --evaluation_strategy epoch --fp16 --seed 29204  \\
  --save_strategy epoch --save_total_limit 1
"""
WNUT = """
sparseml.transformers.token_classification \\
  --model_name_or_path zoo:nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus/pruned90-none \\
  --recipe zoo:nlp/token_classification/obert-base/pytorch/huggingface/conll2003/pruned90_quant-none \\
  --recipe_args '{"num_epochs":12,"qat_start_epoch":7.0, "observer_epoch": 11.0}' \\
  --distill_teacher disable \\
  --dataset_name wnut_17 --text_column_name tokens --label_column_name ner_tags \\
  --output_dir sparse_bert-token_classification_wnut_17 \\
  --per_device_train_batch_size 32 --per_device_eval_batch_size 32 --preprocessing_num_workers 6 \\
  --do_train --do_eval --evaluation_strategy epoch --fp16 --seed 29204  \\
  --save_strategy epoch --save_total_limit 1
"""
WNUT_JSON = """
sparseml.transformers.token_classification \\
  --model_name_or_path zoo:nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus/pruned90-none \\
  --recipe zoo:nlp/token_classification/obert-base/pytorch/huggingface/conll2003/pruned90_quant-none \\
  --distill_teacher disable \\
  --train_file wnut_17-train.json --validation_file wnut_17-validation.json \\
  --text_column_name tokens --label_column_name named_ner_tags \\
  --output_dir sparse_bert-token_classification_wnut_17_from_json \\
  --per_device_train_batch_size 32 --per_device_eval_batch_size 32 --preprocessing_num_workers 6 \\
  --do_train --do_eval --evaluation_strategy epoch --fp16 --seed 29204  \\
  --save_strategy epoch --save_total_limit 1
"""
SQUAD = """
sparseml.transformers.train.question_answering \\
  --model_name_or_path zoo:nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus/pruned90-none \\
  --recipe zoo:nlp/question_answering/obert-base/pytorch/huggingface/squad/pruned90_quant-none \\
  --distill_teacher zoo:nlp/question_answering/obert-base/pytorch/huggingface/squad/base-none \\
  --dataset_name squad \\
  --output_dir obert_base_pruned90_quant_squad \\
  --do_train --do_eval --evaluation_strategy epoch --logging_steps 1000 --save_steps 1000 \\
  --per_device_train_batch_size 8 --per_device_eval_batch_size 32 --gradient_accumulation_steps 2 \\
  --preprocessing_num_workers 32 \\
  --max_seq_length 384 --doc_stride 128 \\
  --seed 42
"""
SQUAD_FROM_SCRATCH = """
sparseml.transformers.question_answering \\
  --model_name_or_path bert-base-uncased \\
  --dataset_name squad \\
  --do_train \\
  --do_eval \\
  --output_dir './output' \\
  --cache_dir cache \\
  --distill_teacher disable \\
  --recipe zoo:nlp/question_answering/bert-base/pytorch/huggingface/squad/pruned-aggressive_98
"""
SQUADSHIFTS_TEACHER = """
sparseml.transformers.train.question_answering \\
  --output_dir dense_teacher \\
  --recipe zoo:nlp/question_answering/obert-base/pytorch/huggingface/squad/base-none \\
  --recipe_args '{"num_epochs":5, "init_lr":0.0002}' \\
  --model_name_or_path zoo:nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus/base-none \\
  --distill_teacher disable \\
  --train_file squadshifts-train.json --validation_file squadshifts-val.json \\
  --do_train --do_eval --evaluation_strategy epoch --logging_strategy epoch --save_steps 1000 --preprocessing_num_workers 32 \\
  --per_device_train_batch_size 8 --per_device_eval_batch_size 32 --gradient_accumulation_steps 2 \\
  --max_seq_length 384 --doc_stride 128 \\
  --seed 42
"""
SQUADSHIFTS = """
sparseml.transformers.train.question_answering \\
  --output_dir obert_base_pruned90_quant_squadshifts \\
  --recipe zoo:nlp/question_answering/obert-base/pytorch/huggingface/squad/pruned90_quant-none \\
  --recipe_args '{"num_epochs":8, "qat_start_epoch":4.0, "observer_epoch":7.0}' \\
  --model_name_or_path zoo:nlp/masked_language_modeling/obert-base/pytorch/huggingface/wikipedia_bookcorpus/pruned90-none \\
  --distill_teacher ./dense_teacher \\
  --train_file squadshifts-train.json --validation_file squadshifts-val.json \\
  --do_train --do_eval --evaluation_strategy epoch --logging_strategy epoch --save_steps 1000 --preprocessing_num_workers 32 \\
  --per_device_train_batch_size 8 --per_device_eval_batch_size 32 --gradient_accumulation_steps 2 \\
  --max_seq_length 384 --doc_stride 128 \\
  --seed 42
"""


def run(home, command, recipe_args, extra=()):
    """Runs a command with its sources replaced and its recipe shortened; gives its output_dir and its scores."""
    words = shlex.split(command.replace("\\\n", " "))
    words[0] = words[0].removeprefix("sparseml.transformers.")
    options = dict(zip(words[1:], words[2:], strict=False))
    dataset = options.get("--dataset_name") or options.get("--task_name")
    if "--dataset_name" in words:
        words[words.index("--dataset_name") + 1] = str(home / "data" / dataset)
    elif dataset:
        words += ["--dataset_name", str(home / "data" / dataset)]
    stand_ins = {
        "cardiffnlp/twitter-roberta-base-emotion": str(home / "roberta"),
        "bert-base-uncased": UPSTREAM + "/base-none",
    }
    words = [stand_ins.get(word, word) for word in words]
    merged = json.dumps({**json.loads(options.get("--recipe_args", "{}")), **recipe_args})
    if "--recipe_args" in words:
        words[words.index("--recipe_args") + 1] = merged
    else:
        words += ["--recipe_args", merged]
    assert main([*words, *extra]) == 0
    output = home / options["--output_dir"]
    return output, json.loads((output / "eval_results.json").read_text())


def encoder_sparsity(directory):
    """Share of zeros in the stored weights of the encoder's linear layers."""
    weights = load_file(directory / "model.safetensors")
    kept = [w for name, w in weights.items() if ".layer." in name and name.endswith("weight") and w.ndim == 2]
    return float(sum((w == 0).sum() for w in kept) / sum(w.numel() for w in kept))


def require_sparse_and_quantized(directory):
    assert encoder_sparsity(directory) == pytest.approx(0.9, abs=0.01)
    assert "quantization_config" in json.loads((directory / "config.json").read_text())
    assert "QuantizationModifier" in (directory / "recipe.yaml").read_text()


def require_dense(directory):
    assert encoder_sparsity(directory) < 0.01
    assert "quantization_config" not in json.loads((directory / "config.json").read_text())


def export(model, task):
    main(["export_onnx", "--model_path", model, "--task", task])


def test_sst2_and_its_export(home, capfd):
    output, scores = run(home, SST2, SHORT)
    require_sparse_and_quantized(output)
    assert 0 <= scores["eval_accuracy"] <= 1 and scores["eval_samples"] == EVAL_ROWS and scores["epoch"] == 2.0
    assert sorted(path.name for path in output.glob("checkpoint-*")) == ["checkpoint-2", "checkpoint-4"]
    captured = capfd.readouterr()
    assert "***** eval metrics *****" in captured.out
    assert any({"--evaluation_strategy", "--eval_strategy"} <= set(line.split()) for line in captured.err.splitlines())
    assert "--fp16" in captured.err or torch.accelerator.is_available()
    export("sparse_quantized_bert-text_classification_sst2", "text_classification")
    deployed = {path.name for path in (home / "deployment").iterdir()}
    assert {"model.onnx", "config.json", "tokenizer.json", "tokenizer_config.json", "labels.json"} <= deployed
    assert json.loads((home / "deployment" / "labels.json").read_text()) == ["negative", "positive"]


def test_mnli_has_scores_of_both_validation_splits(home):
    output, scores = run(home, MNLI, SHORT)
    require_sparse_and_quantized(output)
    assert {"eval_accuracy", "eval_accuracy_mm", "eval_loss_mm"} <= scores.keys()


def test_qqp_has_f1_too(home):
    output, scores = run(home, QQP, SHORT)
    require_sparse_and_quantized(output)
    assert {"eval_accuracy", "eval_f1"} <= scores.keys()


def test_tweet_eval_from_csv(home):
    output, scores = run(home, EMOTION_CSV, SHORT)
    require_sparse_and_quantized(output)
    assert json.loads((output / "config.json").read_text())["id2label"] == {"0": "0", "1": "1", "2": "2", "3": "3"}


def test_sick_pairs(home):
    output, scores = run(home, SICK, SHORT)
    require_sparse_and_quantized(output)
    assert "eval_accuracy" in scores


def test_rotten_tomatoes_with_a_teacher_of_ones_own(home):
    teacher, _ = run(home, ROTTEN_TOMATOES_TEACHER, SHORT_TEACHER)
    require_dense(teacher)
    output, scores = run(home, ROTTEN_TOMATOES, SHORT)
    require_sparse_and_quantized(output)
    assert json.loads((output / "config.json").read_text())["id2label"] == {"0": "neg", "1": "pos"}


def test_tweet_eval_with_a_roberta_teacher(home, capfd):
    output, _ = run(home, EMOTION_ROBERTA, SHORT)
    require_sparse_and_quantized(output)
    assert any("teacher" in line and "tokenizer" in line for line in capfd.readouterr().err.splitlines())


def test_conll2003_and_its_export(home):
    output, scores = run(home, CONLL, SHORT)
    require_sparse_and_quantized(output)
    assert {"eval_precision", "eval_recall", "eval_f1", "eval_accuracy"} <= scores.keys()
    export("./sparse_bert-token_classification_conll2003", "token_classification")
    assert json.loads((home / "deployment" / "labels.json").read_text()) == TAGS


def test_wnut_17(home):
    output, scores = run(home, WNUT, SHORT)
    require_sparse_and_quantized(output)
    assert "eval_f1" in scores


def test_wnut_17_from_json(home):
    output, scores = run(home, WNUT_JSON, SHORT)
    require_sparse_and_quantized(output)
    assert sorted(json.loads((output / "config.json").read_text())["label2id"]) == sorted(TAGS)


def test_squad_by_transfer_and_its_export(home):
    output, scores = run(home, SQUAD, SHORT)
    require_sparse_and_quantized(output)
    assert {"eval_exact_match", "eval_f1"} <= scores.keys()
    export("obert_base_pruned90_quant_squad", "question_answering")
    assert (home / "deployment" / "model.onnx").is_file()


def test_squad_from_scratch(home):
    output, _ = run(home, SQUAD_FROM_SCRATCH, SHORT_TEACHER)
    assert encoder_sparsity(output) == pytest.approx(0.9, abs=0.01)


def test_squadshifts_with_a_teacher_of_ones_own(home):
    teacher, _ = run(home, SQUADSHIFTS_TEACHER, SHORT_TEACHER)
    require_dense(teacher)
    output, _ = run(home, SQUADSHIFTS, SHORT)
    require_sparse_and_quantized(output)
