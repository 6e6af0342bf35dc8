"""Reads the nested form in which SQuAD is published: articles with paragraphs with questions.

Rajpurkar et al. 2016, "SQuAD: 100,000+ Questions for Machine Comprehension of Text"; version 2 adds `is_impossible`
(Rajpurkar et al. 2018).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class ArticleError(Exception):
    """An article that does not have SQuAD's form."""

    def __init__(self, problem: str, accepted: str) -> None:
        """Takes what is wrong, with the part of the article, and what is accepted there."""
        super().__init__(problem, accepted)
        self.problem, self.accepted = problem, accepted


def squad_rows(article: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """One flat record for each question of an article.

    Args:
        article: an element of SQuAD's `data`: {"title", "paragraphs": [{"context", "qas": [{"id", "question",
            "answers": [{"text", "answer_start"}, ...]}, ...]}, ...]}.

    Yields:
        Records with what the question has, and the `title` and `context` that it belongs to. The `answers` of a
        question that `is_impossible` are an empty list.

    Raises:
        ArticleError: a part of the article is missing or of another type.
    """
    shared = {"title": article["title"]} if "title" in article else {}
    for place, paragraph in _objects(article, "paragraphs", "the article"):
        if "context" not in paragraph:
            raise ArticleError(f"{place} has no 'context'", "the text that its questions are about")
        for _, question in _objects(paragraph, "qas", place):
            record = {**shared, "context": paragraph["context"], **question}
            if question.get("is_impossible") is True:
                record["answers"] = []
            yield record


def _objects(parent: dict[str, Any], name: str, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The elements of a list of objects, each with the place where it stands."""
    elements = parent.get(name)
    if not isinstance(elements, list):
        value = f"{elements!r:.40}" if name in parent else "nothing"
        raise ArticleError(f"{place} has {value} as '{name}'", "a list, as in SQuAD's files")
    for index, element in enumerate(elements):
        inside = f"{name}[{index}]" if place == "the article" else f"{place}.{name}[{index}]"
        if not isinstance(element, dict):
            raise ArticleError(f"{inside} is {element!r:.40}", "an object, as in SQuAD's files")
        yield inside, element
