"""What identifies a run."""

import pytest

from captioner.training.run import Run, TrainingError, digest


def test_data_may_move_but_not_change(tmp_path):
    def records(root, name="a.jpg"):
        return [(root.resolve() / "images" / name, ("a dog",))]

    roots = [tmp_path / "here", tmp_path / "there"]
    for root in roots:
        (root / "images").mkdir(parents=True)
    one, other = (digest(records(root), {"mine": root}) for root in roots)
    assert one == other
    assert digest(records(roots[0], "b.jpg"), {"mine": roots[0]}) != one
    (roots[0] / "mine.jsonl").touch()
    assert digest(records(roots[0]), {"mine": roots[0] / "mine.jsonl"}) == one


def test_a_run_does_not_go_on_from_other_initial_weights(tmp_path):
    Run(tmp_path / "run", {"initial weights": digest({"sha256": "1"})})
    with pytest.raises(TrainingError, match="the file or preset that it started from has changed"):
        Run(tmp_path / "run", {"initial weights": digest({"sha256": "2"})})
