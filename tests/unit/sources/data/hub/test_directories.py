"""Data sets in directories: what save_to_disk wrote, and what lies as on the hub."""

from __future__ import annotations

import datasets
import pytest

from sparse_core.errors import DataError, SparseCoreError
from sparse_core.sources.data.hub_datasets import is_directory, read_data_set

FEATURES = datasets.Features(
    {
        "tokens": datasets.List(datasets.Value("string")),
        "tags": datasets.List(datasets.ClassLabel(names=["O", "B"])),
        "label": datasets.ClassLabel(names=["neg", "pos"]),
        "answers": {"text": datasets.List(datasets.Value("string"))},
    }
)
RECORDS = [
    {"tokens": ["a", "b"], "tags": [0, 1], "label": 1, "answers": {"text": ["x"]}},
    {"tokens": [], "tags": [], "label": -1, "answers": {"text": []}},
    {"tokens": ["c"], "tags": [-1], "label": None, "answers": {"text": ["y", "z"]}},
]
VALUES = [
    {"tokens": ["a", "b"], "tags": ["O", "B"], "label": "pos", "answers": {"text": ["x"]}},
    {"tokens": [], "tags": [], "label": None, "answers": {"text": []}},
    {"tokens": ["c"], "tags": [None], "label": None, "answers": {"text": ["y", "z"]}},
]


def dataset(records=RECORDS, features=FEATURES):
    return datasets.Dataset.from_list(records, features=features)


def values(source):
    return [row.values for row in source.rows()]


def test_a_saved_dict_has_its_splits(tmp_path):
    datasets.DatasetDict({"train": dataset(), "dev": dataset(RECORDS[:1])}).save_to_disk(tmp_path / "saved")
    splits = read_data_set(str(tmp_path / "saved"))
    assert values(splits["train"]) == VALUES
    assert values(splits["dev"]) == VALUES[:1]
    assert [row.number for row in splits["train"].rows()] == [1, 2, 3]
    assert splits["train"].label_names("label") == ["neg", "pos"]
    assert splits["train"].label_names("tags") == ["O", "B"]
    assert splits["train"].label_names("tokens") is None
    assert splits["train"].size_bytes > 0
    assert str(splits["dev"].error("a problem")) == f"{tmp_path}/saved, split dev: dataset_name: a problem"


def test_one_saved_split_is_that_to_learn_from(tmp_path):
    dataset().select([2, 0]).save_to_disk(tmp_path / "saved")
    splits = read_data_set(str(tmp_path / "saved"))
    assert list(splits) == ["train"]
    assert values(splits["train"]) == [VALUES[2], VALUES[0]]


def test_rows_of_all_batches_come_in_order(tmp_path):
    numbers = datasets.Dataset.from_dict({"n": list(range(2500))}).shuffle(seed=1)
    numbers.save_to_disk(tmp_path / "saved")
    (source,) = read_data_set(str(tmp_path / "saved")).values()
    assert [row.values["n"] for row in source.rows()] == numbers["n"][:]
    assert [row.number for row in source.rows()] == list(range(1, 2501))


def test_a_copy_of_the_hubs_conversion(tmp_path, parquet):
    for config in ("first", "second"):
        for file, record in (("train/0000", 0), ("train/0001", 1), ("test/0000", 2)):
            parquet(tmp_path / "data" / config / f"{file}.parquet", [RECORDS[record]], FEATURES)
    splits = read_data_set(str(tmp_path / "data"), "second")
    assert values(splits["train"]) == VALUES[:2]
    assert values(splits["test"]) == VALUES[2:]
    assert [row.number for row in splits["train"].rows()] == [1, 2]
    assert splits["train"].size_bytes > splits["test"].size_bytes > 0
    for config, fix in (("", ""), ("secnd", "did you mean 'second'?")):
        with pytest.raises(DataError) as caught:
            read_data_set(str(tmp_path / "data"), config)
        error = caught.value
        assert (error.setting, error.accepted, error.fix) == ("dataset_config_name", "one of first, second", fix)


def test_the_only_configuration_need_not_be_named(tmp_path, parquet):
    parquet(tmp_path / "data" / "only" / "train" / "0000.parquet", RECORDS, FEATURES)
    assert values(read_data_set(str(tmp_path / "data"))["train"]) == VALUES


def test_a_damaged_file_of_several_is_named(tmp_path, parquet):
    folder = tmp_path / "data" / "default" / "train"
    parquet(folder / "0000.parquet", RECORDS, FEATURES)
    (folder / "0001.parquet").write_bytes((folder / "0000.parquet").read_bytes()[:-20])
    source = read_data_set(str(tmp_path / "data"))["train"]
    with pytest.raises(DataError, match="not a whole Parquet file") as caught:
        values(source)
    assert caught.value.setting == "dataset_name"
    assert caught.value.place.file.endswith("default, split train, 0001.parquet")


def test_a_directory_of_data_files(tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "train.csv").write_text("text,label\na,1\nb,0\n")
    (tmp_path / "data" / "test.csv").write_text("text,label\nc,0\n")
    splits = read_data_set(str(tmp_path / "data"))
    assert values(splits["train"]) == [{"text": "a", "label": 1}, {"text": "b", "label": 0}]
    assert values(splits["test"]) == [{"text": "c", "label": 0}]


def test_a_class_beyond_the_declared_names(tmp_path):
    import pyarrow as pa

    table = pa.table({"label": pa.array([1, 7])})
    rows = datasets.Dataset(table.cast(pa.schema([("label", pa.int64())])))
    rows.info.features = datasets.Features({"label": datasets.ClassLabel(names=["neg", "pos"])})
    rows.save_to_disk(tmp_path / "saved")
    source = read_data_set(str(tmp_path / "saved"))["train"]
    with pytest.raises(DataError, match="row 2: column 'label' has the class 7, and the 2 that it declares are 0 to 1"):
        values(source)


def test_a_split_without_rows(tmp_path):
    dataset().select([]).save_to_disk(tmp_path / "saved")
    with pytest.raises(DataError) as caught:
        values(read_data_set(str(tmp_path / "saved"))["train"])
    assert (caught.value.setting, caught.value.place.file) == ("dataset_name", f"{tmp_path / 'saved'}, split train")


@pytest.mark.parametrize(
    ("file", "content", "problem"),
    [
        ("dataset_dict.json", "{", "dataset_dict.json is not JSON"),
        ("dataset_dict.json", "[]", "dataset_dict.json has no list 'splits'"),
        ("train/state.json", None, "state.json cannot be read .No such file"),
        ("train/state.json", "{}", "state.json has no list '_data_files'"),
        ("train/dataset_info.json", '{"features": null}', "dataset_info.json has no dict 'features'"),
        ("train/dataset_info.json", b"\xff", "dataset_info.json is not JSON"),
        ("train/data-00000-of-00001.arrow", None, "data-00000-of-00001.arrow is missing"),
    ],
)
def test_a_saved_data_set_that_is_not_whole(tmp_path, file, content, problem):
    datasets.DatasetDict({"train": dataset()}).save_to_disk(tmp_path / "saved")
    path = tmp_path / "saved" / file
    path.unlink()
    if content is not None:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError, match=problem) as caught:
        read_data_set(str(tmp_path / "saved"))
    assert caught.value.setting == "dataset_name"


@pytest.mark.parametrize("share", [0.0001, 0.001, 0.5])
def test_an_arrow_file_that_is_cut_short(tmp_path, share):
    dataset(RECORDS[:1] * 2000).save_to_disk(tmp_path / "saved")
    (arrow,) = (tmp_path / "saved").glob("*.arrow")
    content = arrow.read_bytes()
    arrow.write_bytes(content[: int(share * len(content))])
    source = read_data_set(str(tmp_path / "saved"))["train"]
    with pytest.raises(DataError, match=r"\.arrow is damaged after row (0|1000) \(") as caught:
        values(source)
    assert caught.value.setting == "dataset_name"


@pytest.mark.parametrize(
    ("name", "config", "revision", "setting"),
    [
        ("./none", "", "", "dataset_name"),
        ("{}/train.csv", "", "", "dataset_name"),
        ("{}/saved", "c", "", "dataset_config_name"),
        ("{}/saved", "", "v1", "dataset_revision"),
        ("s3://bucket/data", "", "", "dataset_name"),
    ],
)
def test_folders_that_cannot_be_read_are_refused(tmp_path, name, config, revision, setting):
    (tmp_path / "train.csv").write_text("a,b\n")
    dataset().save_to_disk(tmp_path / "saved")
    with pytest.raises(SparseCoreError) as caught:
        read_data_set(name.format(tmp_path), config, revision)
    assert caught.value.setting == setting


@pytest.mark.parametrize(
    ("name", "expected"),
    [("glue", False), ("owner/name", False), ("./glue", True), ("a/b/c", True), ("~/data", True), ("", False)],
)
def test_what_is_a_directory(name, expected):
    assert is_directory(name) is expected


def test_a_directory_goes_before_a_hub_id(tmp_path, monkeypatch):
    (tmp_path / "glue").mkdir()
    monkeypatch.chdir(tmp_path)
    assert is_directory("glue")
