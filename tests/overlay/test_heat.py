"""Heat lies where the attention lies."""

import numpy as np
import pytest
from overlay.looks import SIZES, assert_within_region, brightest, looking_at, photograph, red
from PIL import Image

from captioner.overlay.heat import blend, scale
from captioner.overlay.heat import heat as heat_of
from captioner.overlay.heat import layer as layer_of


@pytest.mark.parametrize("size", SIZES.values(), ids=SIZES)
@pytest.mark.parametrize("region", [(0, 0), (0, 6), (6, 0), (2, 4), (5, 1), (3, 3)])
def test_heat_lies_where_the_region_lies_in_the_original(size, region):
    heat = heat_of(looking_at(*region), size)
    assert heat.shape == size[::-1]
    assert_within_region(brightest(heat), *region)


def test_heat_of_a_grid_that_is_not_square():
    heat = heat_of(looking_at(1, 4, shape=(3, 9)), (180, 120))
    assert_within_region(brightest(heat), 1, 4, shape=(3, 9))


def test_heat_is_in_units_of_even_attention():
    even = np.full((7, 7), 1 / 49)
    assert heat_of(even, (60, 40)) == pytest.approx(1)
    # At the centre of a region it is what the region has, in multiples of 1 / R.
    assert heat_of(looking_at(3, 3, 0.4), (63, 63))[31, 31] == pytest.approx(0.4 * 49, rel=0.02)
    # Enlarging neither adds nor takes attention, beyond what the clipped ripples add.
    assert heat_of(looking_at(2, 4, 0.2), (210, 70)).mean() == pytest.approx(1, rel=0.02)


def test_heat_does_not_ring_below_zero_and_is_smooth():
    heat = heat_of(looking_at(3, 3, 1.0), (210, 210))
    assert heat.min() == 0
    assert np.abs(np.diff(heat, axis=0)).max() < heat.max() / 20  # no edges of regions


def test_heat_keeps_the_order_of_regions():
    attention = np.random.default_rng(0).dirichlet(np.ones(4)).reshape(2, 2)
    heat = heat_of(attention, (200, 100))
    corners = heat[[10, 10, 90, 90], [10, 190, 10, 190]]
    assert list(corners.argsort()) == list(attention.ravel().argsort())


def test_the_scale_is_shared_and_has_a_least_end():
    maps = [looking_at(0, 0, 0.1), looking_at(0, 0, 0.3), looking_at(0, 0, 0.2)]
    assert scale(maps) == pytest.approx(0.3 * 49)
    assert scale([np.full((7, 7), 1 / 49)]) == 2
    assert scale([looking_at(0, 0, 1.9 / 49)]) == 2


def test_more_attention_is_brighter_and_denser():
    values = np.linspace(0, 0.24, 7)[None] / 7
    layer = np.asarray(layer_of(np.repeat(values, 7, axis=0), (7, 7), 0.24 * 7)).astype(int)
    assert (np.diff(layer[0].sum(axis=-1)) > 0).all()
    assert (np.diff(layer[0, :, 3]) > 0).all()
    assert layer[..., 3].min() > 0 and layer[..., 3].max() < 255  # the photograph shows through


def test_the_photograph_stays_recognisable_under_the_heat_and_loses_its_colours():
    photo = photograph()
    cold = np.asarray(blend(red(photo), looking_at(6, 6), 0.8 * 49))[:100, :180]
    assert np.ptp(cold.astype(int), axis=-1).max() < 8
    # The remaining contrast of the photograph, without the heat over an even grey.
    flat = Image.new("RGB", photo.size, (128, 128, 128))
    hot, even = (
        np.asarray(blend(image, looking_at(3, 3), 0.8 * 49).convert("L"), float)
        for image in (photo, flat)
    )
    contrast = np.asarray(photo.convert("L"), float) - 128
    for part, least in ((np.s_[:40, :60], 0.6), (np.s_[70:90, 110:130], 0.2)):  # cold and hot
        kept = np.polyfit(contrast[part].ravel(), (hot - even)[part].ravel(), 1)[0]
        assert least < kept < 1


# Figures
