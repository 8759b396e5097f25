import numpy as np

from captioner.evaluation.drawings import KINDS, drawings


def test_every_kind_in_turn_and_the_same_every_time():
    first, again, other = (list(drawings(2 * len(KINDS), seed)) for seed in (0, 0, 1))
    names = [kind.__name__ for kind in KINDS]
    assert [name for name, _ in first] == names * 2
    for (_, one), (_, same) in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, same)
        assert one.dtype == np.uint8 and one.shape[2:] == (3,) and min(one.shape[:2]) >= 200
    assert any(one.shape != new.shape for (_, one), (_, new) in zip(first, other, strict=True))


def test_only_blank_pictures_are_blank():
    for name, picture in drawings(4 * len(KINDS), 3):
        colours = len(np.unique(picture @ [65536, 256, 1]))  # one number for each colour
        assert colours <= 2 if name == "blank" else colours >= 2, name
