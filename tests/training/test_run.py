"""The identity of a run."""

import pytest

from captioner.training.run import Chosen, Run, TrainingError, digest


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


def test_the_first_best_epoch_is_chosen_if_it_exceeds_the_score_before(tmp_path):
    log = [{"val_score": score} for score in (1.0, 3.0, 3.0)]
    assert Chosen.best(log, 2.0) == Chosen(2, 3.0, log)
    assert Chosen.best(log, 3.0) == Chosen(None, 3.0, log)
    run = Run(tmp_path, {"seed": 0})
    assert run.score == -1
    run.finish("frozen", Chosen.best(log, run.score))
    again = Run(tmp_path, {"seed": 0})
    assert again.score == 3 and again.finished == run.finished
    assert again.phases()[0]["log"][1] == {"epoch": 1, "val_score": 3.0}
