"""The stubs of SparseML's tutorials and what stands for each now: a model on the hub, or a built-in recipe."""

from __future__ import annotations

_UPSTREAM = "nlp/masked_language_modeling"
_OBERT = "obert-base/pytorch/huggingface"
_BERT = "bert-base/pytorch/huggingface"

MODELS = {
    f"{_UPSTREAM}/{_OBERT}/wikipedia_bookcorpus/pruned90-none": (
        "neuralmagic/oBERT-12-upstream-pruned-unstructured-90-v2"
    ),
    f"{_UPSTREAM}/{_OBERT}/wikipedia_bookcorpus/base-none": "neuralmagic/oBERT-12-upstream-pretrained-dense",
    f"{_UPSTREAM}/{_BERT}/wikipedia_bookcorpus/base-none": "google-bert/bert-base-uncased",
    f"nlp/text_classification/{_OBERT}/mnli/base-none": "neuralmagic/oBERT-teacher-mnli",
    f"nlp/text_classification/{_OBERT}/qqp/base-none": "neuralmagic/oBERT-teacher-qqp",
    f"nlp/question_answering/{_OBERT}/squad/base-none": "neuralmagic/oBERT-teacher-squadv1",
}
"""Hub id for each stub of a model."""

DEFAULT_RECIPE = "original"
"""The recipe that made a model; a stub without a `recipe_type` stands for it."""

_SPARSE_TRANSFER = {
    "transfer-text_classification": "sst2/pruned90_quant",
    "transfer-token_classification": "conll2003/pruned90_quant",
    "transfer-question_answering": "squad/pruned90_quant",
    "transfer-SST2": "sst2/pruned90_quant",
    "transfer-MNLI": "mnli/pruned90_quant",
    "transfer-QQP": "qqp/pruned90_quant",
    "transfer-CoNLL2003": "conll2003/pruned90_quant",
    "transfer-SQuAD": "squad/pruned90_quant",
}
_DENSE_TRANSFER = {
    "transfer-text_classification": "sst2/base",
    "transfer-token_classification": "conll2003/base",
    "transfer-question_answering": "squad/base",
}

RECIPES: dict[str, dict[str, str]] = {
    f"{_UPSTREAM}/{_OBERT}/wikipedia_bookcorpus/pruned90-none": _SPARSE_TRANSFER,
    f"{_UPSTREAM}/{_BERT}/wikipedia_bookcorpus/12layer_pruned80_quant-none-vnni": _SPARSE_TRANSFER,
    f"{_UPSTREAM}/{_BERT}/bookcorpus_wikitext/12layer_pruned80-none": _SPARSE_TRANSFER,
    f"{_UPSTREAM}/{_OBERT}/wikipedia_bookcorpus/base-none": _DENSE_TRANSFER,
    f"{_UPSTREAM}/{_BERT}/wikipedia_bookcorpus/base-none": _DENSE_TRANSFER,
    **{
        f"nlp/{stub}": {DEFAULT_RECIPE: recipe}
        for stub, recipe in {
            f"sentiment_analysis/{_OBERT}/sst2/pruned90_quant-none": "sst2/pruned90_quant",
            f"sentiment_analysis/{_OBERT}/sst2/base-none": "sst2/base",
            f"sentiment_analysis/{_BERT}/sst2/base-none": "dense/base",
            f"text_classification/{_OBERT}/mnli/pruned90_quant-none": "mnli/pruned90_quant",
            f"text_classification/{_OBERT}/qqp/pruned90_quant-none": "qqp/pruned90_quant",
            f"question_answering/{_OBERT}/squad/pruned90_quant-none": "squad/pruned90_quant",
            f"question_answering/{_OBERT}/squad/base-none": "squad/base",
            f"token_classification/{_OBERT}/conll2003/pruned90_quant-none": "conll2003/pruned90_quant",
            f"token_classification/{_OBERT}/conll2003/base-none": "conll2003/base",
            f"multilabel_text_classification/{_OBERT}/goemotions/pruned90_quant-none": "goemotions/pruned90_quant",
            # the recipe that SparseZoo had for IMDB was never printed anywhere; this one is for the same kind of task
            f"document_classification/{_OBERT}/imdb/pruned90_quant-none": "sst2/pruned90_quant",
        }.items()
    },
}
"""Built-in recipe for each stub and type of recipe."""
