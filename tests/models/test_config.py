"""Valid and invalid contents of `config.json`."""

import json

import pytest

from captioner.models.config import CaptionerConfig


def test_what_is_written_is_read():
    config = CaptionerConfig(concepts=("dog",), encoder_settings={"depth": 3}, caption_words=9)
    assert CaptionerConfig.from_json(json.loads(json.dumps(config.to_json()))) == config
    assert CaptionerConfig.from_json(config.to_json()) == config


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("image_size", "256"),
        ("max_words", 20.0),
        ("max_words", True),
        ("max_words", None),
        ("dropout", "0.1"),
        ("dropout", None),
        ("positional", 1),
        ("encoder", ["VGG16"]),
        ("encoder_settings", []),
        ("caption_words", 1.5),
        ("concepts", "dog"),
        ("concepts", [1]),
        ("concepts", {"dog": 1}),
    ],
)
def test_a_value_of_another_type_is_refused(setting, value):
    content = CaptionerConfig().to_json() | {setting: value}
    with pytest.raises(ValueError, match=f"its {setting} cannot be "):
        CaptionerConfig.from_json(content)


@pytest.mark.parametrize(
    ("setting", "value"), [("dropout", 0), ("caption_words", None), ("encoder_settings", {})]
)
def test_a_value_of_its_type_is_taken(setting, value):
    config = CaptionerConfig.from_json(CaptionerConfig().to_json() | {setting: value})
    assert getattr(config, setting) == value


def test_a_long_value_is_shortened_in_the_message():
    with pytest.raises(ValueError) as error:
        CaptionerConfig.from_json(CaptionerConfig().to_json() | {"units": "9" * 5000})
    assert len(str(error.value)) < 100
