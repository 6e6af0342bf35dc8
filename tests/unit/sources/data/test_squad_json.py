"""SQuAD's nested form: one record for each question, and what is said about articles that are not of that form."""

from __future__ import annotations

import json

import pytest

from sparse_core.errors import DataError
from sparse_core.sources.data.data_file import DataFile
from sparse_core.sources.data.squad_json import ArticleError, squad_rows

ANSWERS = [{"text": "two", "answer_start": 4}]
ARTICLE = {
    "title": "Numbers",
    "paragraphs": [
        {
            "context": "One two.",
            "qas": [
                {"id": "a", "question": "Which is even?", "answers": ANSWERS},
                {"id": "b", "question": "Which is odd?", "answers": [{"text": "One", "answer_start": 0}]},
            ],
        },
        {"context": "Three.", "qas": []},
        {"context": "Four.", "qas": [{"id": "c", "question": "Which?", "answers": []}]},
    ],
}


def squad_file(tmp_path, articles, **dump):
    path = tmp_path / "train.json"
    path.write_text(json.dumps({"version": "1.1", "data": articles}, **dump))
    return DataFile("train_file", path)


def test_each_question_gets_its_title_and_context():
    assert list(squad_rows(ARTICLE)) == [
        {"title": "Numbers", "context": "One two.", "id": "a", "question": "Which is even?", "answers": ANSWERS},
        {"title": "Numbers", "context": "One two.", **ARTICLE["paragraphs"][0]["qas"][1]},
        {"title": "Numbers", "context": "Four.", "id": "c", "question": "Which?", "answers": []},
    ]


def test_the_title_may_be_missing():
    (record,) = squad_rows({"paragraphs": ARTICLE["paragraphs"][2:]})
    assert record == {"context": "Four.", "id": "c", "question": "Which?", "answers": []}


def test_an_impossible_question_has_no_answer_whatever_is_plausible():
    question = {"id": "d", "question": "Which is five?", "is_impossible": True, "plausible_answers": ANSWERS}
    for answers in ({}, {"answers": []}, {"answers": ANSWERS}):
        paragraph = {"context": "One two.", "qas": [{**question, **answers}]}
        (record,) = squad_rows({"paragraphs": [paragraph]})
        assert record["answers"] == [] and record["id"] == "d"
    paragraph = {"context": "One two.", "qas": [{"question": "?", "is_impossible": False, "answers": ANSWERS}]}
    assert next(squad_rows({"paragraphs": [paragraph]}))["answers"] == ANSWERS


@pytest.mark.parametrize(
    ("article", "part"),
    [
        ({}, "the article has nothing as 'paragraphs'"),
        ({"paragraphs": "text"}, "the article has 'text' as 'paragraphs'"),
        ({"paragraphs": ["text"]}, "paragraphs[0] is 'text'"),
        ({"paragraphs": [{"qas": []}]}, "paragraphs[0] has no 'context'"),
        ({"paragraphs": [{"context": "a"}]}, "paragraphs[0] has nothing as 'qas'"),
        ({"paragraphs": [{"context": "a", "qas": {}}]}, "paragraphs[0] has {} as 'qas'"),
        ({"paragraphs": [{"context": "a", "qas": [7]}]}, "paragraphs[0].qas[0] is 7"),
    ],
)
def test_other_forms_are_refused_with_the_part_at_fault(article, part):
    with pytest.raises(ArticleError) as caught:
        list(squad_rows(article))
    assert caught.value.problem == part and caught.value.accepted


@pytest.mark.parametrize("dump", [{}, {"indent": 1}], ids=["one line", "many lines"])
def test_a_file_of_articles_is_read_question_by_question(tmp_path, dump):
    rows = list(squad_file(tmp_path, [ARTICLE, ARTICLE], **dump).rows())
    assert [row.number for row in rows] == [1, 2, 3, 4, 5, 6]
    assert [row.values["id"] for row in rows] == ["a", "b", "c"] * 2
    assert rows[0].values["context"] == "One two." and rows[0].values["answers"] == ANSWERS


def test_a_file_of_flat_records_under_data_is_read_too(tmp_path):
    records = list(squad_rows(ARTICLE))
    assert [row.values for row in squad_file(tmp_path, records).rows()] == records


def test_a_malformed_article_is_refused_with_file_and_line(tmp_path):
    file = squad_file(tmp_path, [ARTICLE, {"paragraphs": [{"qas": []}]}])
    with pytest.raises(DataError) as caught:
        list(file.rows())
    assert (caught.value.setting, caught.value.place.line) == ("train_file", 1)
    assert caught.value.problem == "paragraphs[0] has no 'context'"
