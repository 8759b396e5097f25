"""A toy captioner: real parts, small sizes, milliseconds."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pytest

WORDS = "a the dog cat man runs sits on grass left right red".split()


@pytest.fixture(scope="session")
def vocabulary():
    from captioner.data.vocabulary import SPECIAL, Vocabulary

    return Vocabulary([*SPECIAL, *WORDS])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    """In CI everything is installed: a test that is skipped there tests nothing, unnoticed."""
    report = yield
    if report.skipped and "CI" in os.environ and not item.get_closest_marker("needs_data"):
        report.outcome, report.longrepr = "failed", f"skipped in CI: {report.longrepr}"
    return report


def with_toy_encoder(build):
    """`build_encoder` with one encoder more: "toy", a single convolution."""
    import keras

    def build_encoder(name, image_size, weights=None, settings=None):
        if name != "toy":
            return build(name, image_size, weights, settings)
        photographs = keras.Input((image_size, image_size, 3))
        maps = keras.layers.Conv2D(12, 32, strides=32)(photographs / 255)
        return keras.Model(photographs, maps)

    return build_encoder


@pytest.fixture
def toy_encoder(monkeypatch):
    import captioner.models.captioner as module

    monkeypatch.setattr(module, "build_encoder", with_toy_encoder(module.build_encoder))


@pytest.fixture
def toy(vocabulary, toy_encoder):
    """Makes a captioner with random weights; keyword arguments override the toy's sizes."""
    import keras

    from captioner.models.captioner import Captioner
    from captioner.models.config import CaptionerConfig

    def make(seed=0, **settings):
        keras.utils.set_random_seed(seed)
        sizes = {
            "encoder": "toy",
            "image_size": 64,
            "annotation_size": 8,
            "embedding_size": 8,
            "units": 8,
            "attention_size": 8,
            "max_words": 6,
        }
        return Captioner(vocabulary, CaptionerConfig(**{**sizes, **settings}))

    return make


@pytest.fixture
def features():
    """Makes feature maps `float32[B, R, C]` for the toy's encoder."""

    def make(model, batch=3, seed=0):
        shape = (batch, model.regions, model.encoder.output_shape[-1])
        return np.random.default_rng(seed).normal(size=shape).astype("float32")

    return make


@pytest.fixture(scope="session")
def browser(tmp_path_factory):
    """Chromium without a window, and without a network but this computer's own."""
    import chromium

    if not chromium.installed():
        pytest.skip("Chromium is not installed")
    driver = chromium.start(tmp_path_factory.mktemp("chromium"))
    yield driver
    driver.quit()
