"""A phase goes on where it stood."""

import numpy as np
import pytest
from training import kills

from captioner.training.backup import Backup, Patience
from captioner.training.run import TrainingError


def test_patience_is_that_of_all_epochs():
    rows = [{"val_score": score} for score in (0.1, 0.5, 0.4, 0.3)]
    patience = Patience(rows, epochs=3)
    patience.on_train_begin()
    assert (patience.wait, patience.best, patience.exhausted) == (2, 0.5, False)
    assert Patience([*rows, {"val_score": 0.2}], epochs=3).exhausted
    assert not Patience([*rows, {"val_score": 0.6}], epochs=3).exhausted
    assert not Patience([], epochs=3).exhausted


def test_a_damaged_backup_is_named(toy, tmp_path):
    path = tmp_path / "run" / "backup" / "frozen.npz"
    model = toy()
    model.compile("adam")
    backup = Backup(path)
    backup.set_model(model)
    backup.on_train_begin()
    backup.on_epoch_end(0, {"loss": 1.5})
    assert Backup(path).history == [{"loss": 1.5}]
    content = path.read_bytes()
    for length in (0, 100, len(content) // 2):
        path.write_bytes(content[:length])
        with pytest.raises(TrainingError, match="frozen.npz: damaged or cut short; remove"):
            backup = Backup(path)
            backup.set_model(model)
            backup.on_train_begin()


def test_what_dropout_draws_goes_on(toy, tmp_path):
    path, drawn = tmp_path / "frozen.npz", []
    for epoch in range(2):
        model = toy()
        model.compile("adam")
        backup = Backup(path)
        backup.set_model(model)
        backup.on_train_begin()
        drawn.append(np.asarray(model.drop(np.ones((1, 50)), training=True)))
        backup.on_epoch_end(epoch, {"loss": 1.0})
    model.drop(np.ones((1, 50)), training=True)
    assert (drawn[0] != drawn[1]).any()
    again = toy()
    again.compile("adam")
    backup = Backup(path)
    backup.set_model(again)
    backup.on_train_begin()
    # As in the run that nobody interrupted: the third draw.
    expected = toy()
    for _ in range(2):
        expected.drop(np.ones((1, 50)), training=True)
    np.testing.assert_array_equal(
        again.drop(np.ones((1, 50)), training=True),
        expected.drop(np.ones((1, 50)), training=True),
    )


def test_an_epoch_whose_loss_is_no_number_is_not_gone_on_from(toy, tmp_path):
    model = toy()
    model.compile("adam")
    backup = Backup(tmp_path / "frozen.npz")
    backup.set_model(model)
    backup.on_train_begin()
    backup.on_epoch_end(0, {"loss": float("nan")})
    assert Backup(tmp_path / "frozen.npz").history == []


def test_the_log_holds_the_epochs_that_are_done(toy, tmp_path):
    backup = Backup(tmp_path / "none.h5")
    backup.history = [{"loss": 2.0, "val_score": 0.1}, {"loss": 1.0, "val_score": 0.2}]
    (tmp_path / "log.csv").write_text("left by an epoch that was scored, but not finished")
    backup.write_log(tmp_path / "log.csv")
    assert (tmp_path / "log.csv").read_text().splitlines() == [
        "epoch,loss,val_score",
        "0,2.0,0.1",
        "1,1.0,0.2",
    ]


@pytest.mark.slow
def test_a_run_that_is_killed_ends_as_one_that_was_not(tmp_path):
    [(_, difference)] = kills.kills(1, tmp_path)
    assert difference == 0
