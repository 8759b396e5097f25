import json

import pytest

from captioner.data.records import DatasetError
from captioner.evaluation.results_files import others_of, read_results


@pytest.mark.parametrize(
    "content",
    [
        "no json",
        "{}x",
        '{"image_id": 1}',
        '[{"image_id": 1, "answer": "a dog"}]',
        '[{"image_id": 1, "caption": 7}]',
        '[{"image_id": [], "caption": "a dog"}]',
        "[" * 5000,
    ],
)
def test_what_is_no_results_file_is_named(content, tmp_path):
    path = tmp_path / "old.json"
    path.write_text(content)
    with pytest.raises(DatasetError, match="old.json: not a results file of the task captions"):
        read_results(path, "captions")


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(DatasetError, match="old.json: not a readable"):
        read_results(tmp_path / "old.json", "captions")


def test_of_other_results_those_of_the_split_are_kept(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps([{"question_id": i, "answer": f"{i}"} for i in (1, 2, 3)]))
    assert others_of(path, "vqa", {2: "a.jpg", 3: "a.jpg", 4: "b.jpg"}) == {2: "2", 3: "3"}
