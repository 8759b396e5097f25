"""Networks of KerasHub: read from a preset of theirs, rebuilt from ours."""

import csv
import json

import keras
import numpy as np
import pytest
from PIL import Image

from captioner.layers.image_encoder import EncoderError, build_encoder, read_hub
from captioner.models.captioner import Captioner
from captioner.training.train import train

pytestmark = pytest.mark.slow  # KerasHub takes seconds to import

SCALE, OFFSET = [1 / 58, 1 / 57, 1 / 56], [-2.0, -1.0, -3.0]
SIZES = {
    "input_conv_filters": [64],
    "input_conv_kernel_sizes": [7],
    "stackwise_num_filters": [64, 128],
    "stackwise_num_blocks": [1, 1],
    "stackwise_num_strides": [1, 2],
    "block_type": "basic_block",
}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """A network of KerasHub, and the folder of its preset."""
    import keras_hub

    folder = tmp_path_factory.mktemp("resnet")
    network = keras_hub.models.ResNetBackbone(**SIZES)
    network.save_to_preset(str(folder))
    converter = keras_hub.layers.ResNetImageConverter(scale=SCALE, offset=OFFSET)
    converter.save_to_preset(str(folder))
    return network, folder


def test_it_sees_what_the_network_sees(theirs):
    network, folder = theirs
    found, weights = read_hub(f"hub:{folder}", 64)
    assert found["encoder"] == "hub:ResNetBackbone"
    written = json.loads(json.dumps(found["encoder_settings"]))
    encoder = build_encoder(found["encoder"], 64, settings=written)
    encoder.set_weights(weights)
    photographs = np.random.default_rng(0).uniform(0, 255, (2, 64, 64, 3)).astype("float32")
    expected = network.predict(photographs * SCALE + OFFSET, verbose=0)
    assert encoder.output_shape == (None, 8, 8, 128)
    np.testing.assert_allclose(encoder.predict(photographs, verbose=0), expected, atol=1e-4)


def test_a_captioner_learns_on_it_and_opens_without_the_preset(theirs, tmp_path):
    network, folder = theirs
    (tmp_path / "Images").mkdir()
    rows = [("image", "caption", "split")]
    for i in range(12):
        colour = ("red", "blue")[i % 2]
        pixels = np.random.default_rng(i).integers(0, 40, (64, 64, 3), "uint8")
        pixels[..., 0 if colour == "red" else 2] += 200
        Image.fromarray(pixels).save(tmp_path / "Images" / f"{i}.png")
        split = "train" if i < 10 else "dev"
        rows += [(f"{i}.png", f"a {colour} picture", split)] * 2
    with open(tmp_path / "captions.csv", "w", newline="") as file:
        csv.writer(file).writerows(rows)
    data = [("captions-csv", tmp_path)]
    train(data, tmp_path / "run", encoder=f"hub:{folder}", epochs=1, batch_size=4)
    content = json.loads((tmp_path / "run" / "config.json").read_text())
    assert str(folder) not in json.dumps(content)
    story = (tmp_path / "run" / "metadata.json").read_text()
    assert str(folder) not in story and folder.name in story
    model = Captioner.from_preset(tmp_path / "run")
    for ours, weights in zip(model.encoder.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_allclose(ours, weights, atol=1e-3)  # they are stored in half precision
    assert model.caption(tmp_path / "Images" / "0.png").text


def test_what_is_no_cnn_of_theirs_is_refused():
    with pytest.raises(EncoderError, match="hub:nobodys: not a CNN of KerasHub"):
        read_hub("hub:nobodys", 64)
    with pytest.raises(EncoderError, match="hub:Nobodys: no network of KerasHub"):
        build_encoder("hub:Nobodys", 64, settings={"network": SIZES})
    with pytest.raises(EncoderError, match="hub:ResNetBackbone: no settings"):
        build_encoder("hub:ResNetBackbone", 64)
    for wrong in ({"network": {"depth": 3}}, {"network": SIZES, "scale": "half"}):
        with pytest.raises(EncoderError, match="hub:ResNetBackbone: cannot be built"):
            build_encoder("hub:ResNetBackbone", 64, settings=wrong)


def test_settings_cannot_make_anything_else():
    layer = keras.saving.serialize_keras_object(keras.layers.Dense(1))
    for nested in (layer, [[layer]]):
        settings = {"network": SIZES | {"block_type": nested}}
        with pytest.raises(EncoderError, match="more than numbers and names"):
            build_encoder("hub:ResNetBackbone", 64, settings=settings)
