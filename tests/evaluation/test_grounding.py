"""Whether a noun's attention falls on its object."""

import numpy as np
import pytest

from captioner import presets
from captioner.evaluation.grounding import area, pointing, scenes, share_within


def test_a_region_counts_by_what_of_it_lies_in_the_box():
    attention = np.arange(1, 5).reshape(2, 2) / 10
    assert share_within(attention, (0, 0, 1, 1)) == pytest.approx(1)
    assert share_within(attention, (0, 0, 0.5, 0.5)) == pytest.approx(0.1)
    assert share_within(attention, (0.25, 0, 0.75, 0.5)) == pytest.approx(0.05 + 0.1)
    assert share_within(attention, (0.5, 0.5, 1, 1)) == pytest.approx(0.4)


@pytest.mark.parametrize("shape", [(8, 8), (7, 5)])
def test_an_even_look_is_the_area(shape):
    box = (0.1, 0.2, 0.65, 0.7)
    even = np.full(shape, 1 / np.prod(shape))
    assert share_within(even, box) == pytest.approx(area(box)) == pytest.approx(0.55 * 0.5)


def test_the_objects_lie_in_their_boxes():
    """What two scenes of one background differ in lies in the boxes of both."""
    found = list(scenes())
    assert len(found) == 3 * (3 * 9 + 6 * 2)
    one, other = found[0], found[8]
    ((_, first),), ((_, last),) = one.objects, other.objects
    differs = (one.picture != other.picture).any(-1)
    rows, columns = np.nonzero(differs)
    side = len(differs)
    for left, top, right, bottom in (first, last):
        inside = (columns >= left * side - 1) & (columns < right * side + 1)
        inside &= (rows >= top * side - 1) & (rows < bottom * side + 1)
        assert inside.any()
        differs[rows[inside], columns[inside]] = False
    assert not differs.any()


@pytest.mark.slow
def test_the_preset_that_ships_points_as_its_metadata_say():
    recorded = presets.read_metadata(presets.DEFAULT_PRESET)["pointing"]
    for name, value in pointing(presets.DEFAULT_PRESET).items():
        assert value == pytest.approx(recorded[name], abs=0.05)
