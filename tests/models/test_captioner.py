import warnings

import keras
import numpy as np
import pytest
from keras import ops

from captioner.data.vocabulary import PAD, START
from captioner.layers.image_encoder import EncoderError, build_encoder, encoder_names
from captioner.models.captioner import Captioner, doubly_stochastic
from captioner.presets import PresetError


def batch(model, features, sequences=2):
    tokens = np.full((len(features), sequences, model.steps), PAD, "int32")
    tokens[..., :3] = START, 4, 6
    tokens[:, 1:, 1] = 5
    return {"features": features, "captions": tokens}


def test_sequences_of_a_photograph_do_not_disturb_each_other(toy, features):
    model = toy()
    x = batch(model, features(model))
    together = ops.convert_to_numpy(model(x)["captions"])
    assert together.shape == (3, 2, model.steps, len(model.vocabulary))
    for k in range(2):
        alone = model({"features": x["features"], "captions": x["captions"][:, k : k + 1]})
        np.testing.assert_allclose(together[:, k], alone["captions"][:, 0], rtol=1e-3, atol=1e-5)


def test_photographs_and_their_features_say_the_same(toy):
    model = toy()
    photographs = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3)).astype("uint8")
    features = ops.convert_to_numpy(model.features(photographs))
    tokens = batch(model, features)["captions"]
    np.testing.assert_allclose(
        model({"photographs": photographs, "captions": tokens})["captions"],
        model({"features": features, "captions": tokens})["captions"],
        rtol=1e-4,
        atol=1e-6,
    )


def test_regions_are_the_feature_map_row_by_row(toy):
    model = toy(image_size=96)
    photographs = np.random.default_rng(0).integers(0, 255, (1, 96, 96, 3)).astype("uint8")
    maps = ops.convert_to_numpy(model.encoder(photographs.astype("float32")))
    assert model.grid == maps.shape[1:3] == (3, 3)
    regions = ops.convert_to_numpy(model.features(photographs))
    np.testing.assert_allclose(regions[0, 1 * 3 + 2], maps[0, 1, 2], rtol=1e-5)


def test_where_a_region_lies_matters(toy, features):
    model = toy()
    x = batch(model, features(model))
    turned = {**x, "features": x["features"][:, ::-1]}

    def difference():
        return np.abs(ops.convert_to_numpy(model(x)["captions"] - model(turned)["captions"])).max()

    assert difference() > 1e-3
    model.position.embeddings.assign(ops.zeros_like(model.position.embeddings))
    assert difference() < 1e-5  # a set of regions, in any order


def test_where_a_region_lies_is_as_loud_as_what_is_there(toy, features):
    model = toy()
    where = ops.convert_to_numpy(model.position.embeddings)
    what = ops.convert_to_numpy(model.annotations(features(model))) - where
    assert 0.5 < where.std() / what.std() < 2


def test_doubly_stochastic_penalty_by_hand():
    # Two words over two regions: even attention is free; both on one region differ by 1 each.
    even = np.full((1, 2, 2), 0.5, "float32")
    one_sided = np.array([[[1, 0], [1, 0]]], "float32")
    words = np.array([[True, True]])
    assert float(doubly_stochastic([(even, words)])) == 0
    assert float(doubly_stochastic([(one_sided, words)])) == pytest.approx(1.0)
    # A padded step does not count: one word, totals (1, 0) against (0.5, 0.5).
    assert float(doubly_stochastic([(one_sided, np.array([[True, False]]))])) == pytest.approx(0.25)
    # A row without words, of a photograph that has fewer captions, does not count either.
    padded = np.concatenate([one_sided, one_sided])
    words = np.array([[True, True], [False, False]])
    assert float(doubly_stochastic([(padded, words)])) == pytest.approx(1.0)
    assert float(doubly_stochastic([(padded, np.zeros((2, 2), bool))])) == 0
    # Groups of sequences count as one batch.
    groups = [(even, words[:1]), (one_sided, words[:1])]
    assert float(doubly_stochastic(groups)) == pytest.approx(0.5)


def test_a_model_learns_in_bfloat16(toy, features):
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model = toy(attention_penalty=0.5)
        model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        tokens = np.full((2, 1, 5), 5)
        inputs = {"features": features(model, batch=2), "captions": tokens}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # Keras: the CNN, not run here, learns not
            loss = model.train_on_batch(inputs, {"captions": tokens})
    finally:
        keras.config.set_dtype_policy("float32")
    assert np.isfinite(loss)


@pytest.mark.slow
def test_fit_learns_two_photographs_by_heart(toy, features):
    model = toy(dropout=0.0, units=32, annotation_size=16)
    x = {"features": features(model, batch=2)}
    texts = ["a dog runs on the grass", "a red cat sits"]
    tokens = np.stack([model.vocabulary.encode(text, model.steps) for text in texts])[:, None]
    model.encoder.trainable = False
    model.compile(
        keras.optimizers.Adam(0.02),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=PAD),
        jit_compile=False,
    )
    targets = {"captions": tokens[..., 1:]}
    model.fit({**x, "captions": tokens[..., :-1]}, targets, epochs=60, verbose=0)
    from searches import candidates_of

    from captioner.generation.samplers import Beam

    written = [found[0].text for found in candidates_of(model, x, Beam(3))]
    assert written == ["A dog runs on the grass.", "A red cat sits."]


def test_no_question_has_no_answer(toy):
    model, photograph = toy(question_units=8), np.zeros((64, 64, 3), "uint8")
    assert model.answer(photograph, []) == []
    assert model.answer([photograph, photograph], []) == [[], []]


def test_answers_are_read_with_their_questions(toy, features):
    model = toy(question_units=8, max_question_words=4)
    x = batch(model, features(model))
    answers = x["captions"][..., :2]
    questions = np.array([[[4, 5, 6, 0], [7, 0, 0, 0]]] * 3)
    both = model({**x, "questions": questions, "answers": answers})
    assert both["answers"].shape == (3, 2, 2, len(model.vocabulary))
    alone = model(x)
    assert set(alone) == {"captions"}
    np.testing.assert_allclose(both["captions"], alone["captions"], rtol=1e-4, atol=1e-6)
    swapped = {"features": x["features"], "questions": questions[:, ::-1], "answers": answers}
    swapped = ops.convert_to_numpy(model(swapped)["answers"])
    assert not np.allclose(both["answers"], swapped, atol=1e-3)
    # Without a question an answer is what a caption would be.
    silent = model({**x, "questions": questions * 0, "answers": answers})["answers"]
    np.testing.assert_allclose(silent, alone["captions"][..., :2, :], rtol=1e-4, atol=1e-6)


def test_padding_costs_nothing(toy, features):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=PAD)
    logits = np.random.default_rng(0).normal(size=(1, 1, 3, 5)).astype("float32")
    one = loss(np.array([[[4, 2, PAD]]]), logits)
    probabilities = ops.convert_to_numpy(ops.log_softmax(logits))[0, 0]
    expected = -(probabilities[0, 4] + probabilities[1, 2]) / 2
    assert float(one) == pytest.approx(float(expected), rel=1e-5)


def test_fine_tuning_reaches_the_first_layer_and_batch_statistics_stay(toy):
    model = toy(encoder="MobileNetV2")
    first = model.encoder.layers[-1].get_layer("Conv1")
    norm = model.encoder.layers[-1].get_layer("bn_Conv1")
    before = [w.copy() for w in first.get_weights()], norm.moving_mean.numpy().copy()
    photographs = np.random.default_rng(0).integers(0, 255, (2, 64, 64, 3)).astype("uint8")
    x = {"photographs": photographs, "captions": batch(model, photographs)["captions"]}
    targets = {"captions": np.full(x["captions"].shape, 4)}
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        run_eagerly=True,
    )
    model.train_on_batch(x, targets)
    assert (first.get_weights()[0] != before[0][0]).any()
    np.testing.assert_array_equal(norm.moving_mean.numpy(), before[1])


def test_configuration_rebuilds_the_model(toy):
    model = toy(cell="gru", layers=2, encoder="MobileNetV3Small")
    again = type(model).from_config(model.get_config())
    assert again.get_config() == model.get_config()
    assert [w.shape for w in again.weights] == [w.shape for w in model.weights]


def test_the_recurrent_parts_of_the_configuration(toy, features, tmp_path):
    settings = {"cell": "peephole_lstm", "layers": 2, "attention": "dot", "question_units": 8}
    model = toy(**settings, question_layers=3, question_bidirectional=True, max_question_words=4)
    assert len(model.decoder.initial) == 2 * 2
    reader = model.question_encoder.recurrent
    assert len(reader.forward_layer.cell.cells) == len(reader.backward_layer.cell.cells) == 3
    model.save_to_preset(tmp_path / "toy")
    again = type(model).from_preset(tmp_path / "toy")
    assert again.config == model.config
    inputs = {**batch(again, features(again)), "questions": np.full((3, 2, 4), 5)}
    inputs["answers"] = inputs.pop("captions")
    expected = ops.convert_to_numpy(again(inputs)["answers"])
    inputs["questions"][0, 0] = [6, 7, 0, 0]
    changed = np.abs(ops.convert_to_numpy(again(inputs)["answers"]) - expected).max((2, 3))
    assert changed[0, 0] > 1e-5 and changed.sum() == changed[0, 0]


@pytest.mark.parametrize(
    ("name", "size", "grid"),
    [
        ("MobileNetV2", 64, (2, 2)),
        ("MobileNetV3Large", 64, (2, 2)),
        ("EfficientNetV2B0", 64, (2, 2)),
        ("ResNet50", 64, (2, 2)),
        ("InceptionV3", 96, (1, 1)),
        ("VGG16", 64, (2, 2)),
    ],
)
def test_encoders_bring_their_own_preprocessing(name, size, grid):
    encoder = build_encoder(name, size)
    assert encoder.output_shape[1:3] == grid
    photographs = np.random.default_rng(0).integers(0, 255, (1, size, size, 3)).astype("float32")
    module = {
        "MobileNetV2": keras.applications.mobilenet_v2,
        "MobileNetV3Large": keras.applications.mobilenet_v3,
        "EfficientNetV2B0": keras.applications.efficientnet_v2,
        "ResNet50": keras.applications.resnet,
        "InceptionV3": keras.applications.inception_v3,
        "VGG16": keras.applications.vgg16,
    }[name]
    expected = encoder.layers[-1](module.preprocess_input(photographs.copy()), training=False)
    np.testing.assert_allclose(encoder(photographs), expected, rtol=1e-3, atol=1e-4)


def test_an_unknown_encoder_is_named():
    assert {"MobileNetV2", "VGG16", "ConvNeXtTiny"} <= set(encoder_names())
    with pytest.raises(EncoderError, match="MobileNetV9.*MobileNetV2"):
        build_encoder("MobileNetV9", 64)


def test_encoder_weights_from_a_file(tmp_path):
    network = keras.applications.MobileNetV2((64, 64, 3), include_top=False, weights=None)
    path = tmp_path / "given.weights.h5"
    network.save_weights(path)
    encoder = build_encoder("MobileNetV2", 64, str(path))
    for given, loaded in zip(network.get_weights(), encoder.get_weights(), strict=True):
        np.testing.assert_array_equal(given, loaded)


def test_weights_that_do_not_fit_are_named(tmp_path):
    other = tmp_path / "other.weights.h5"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save_weights(other)
    for path in (other, tmp_path / "missing.weights.h5"):
        with pytest.raises(EncoderError, match=f"{path.name}: not weights of MobileNetV2") as error:
            build_encoder("MobileNetV2", 64, str(path))
        assert "\n" not in str(error.value)


def test_imagenet_weights_come_from_where_keras_keeps_its_downloads(tmp_path, monkeypatch):
    """Offline: Keras finds the file that it would download, made here, in its cache."""
    network = keras.applications.MobileNetV2((224, 224, 3), include_top=False, weights=None)
    name = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    (tmp_path / "models").mkdir()
    made = tmp_path / "made.weights.h5"
    network.save_weights(made)
    requested = []

    def get_file(fname, origin, cache_subdir=None, file_hash=None, **kwargs):
        requested.append((fname, origin))
        return str(made)

    from keras.src.utils import file_utils

    monkeypatch.setattr(file_utils, "get_file", get_file)
    encoder = build_encoder("MobileNetV2", 224, "imagenet")
    assert requested[0][0] == name and requested[0][1].startswith("https://")
    np.testing.assert_array_equal(encoder.get_weights()[0], network.get_weights()[0])


def test_a_download_that_fails_says_what_to_do(monkeypatch):
    from keras.src.utils import file_utils

    def get_file(*args, **kwargs):
        raise Exception("URL fetch failure on https://storage")

    monkeypatch.setattr(file_utils, "get_file", get_file)
    with pytest.raises(EncoderError, match="URL fetch failure.*give the path of a weights file"):
        build_encoder("MobileNetV2", 224, "imagenet")


@pytest.mark.parametrize(
    "settings", [("image_data_format", "channels_first"), ("floatx", "float16")]
)
def test_settings_of_keras_that_do_not_suit_are_named(toy, tmp_path, settings, monkeypatch):
    toy().save_to_preset(tmp_path / "toy")
    name, value = settings
    monkeypatch.setattr(f"keras.config.{name}", lambda: value)
    monkeypatch.setattr("captioner.models.captioner.build_encoder", build_encoder)
    with pytest.raises(PresetError, match="change image_data_format and floatx in its keras.json"):
        Captioner.from_preset(tmp_path / "toy")
