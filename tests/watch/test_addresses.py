"""Addresses of cameras and brokers."""

import pytest

from captioner.watch.addresses import Topic, check_camera, topic_of


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("broker/home/dog", Topic("broker", 1883, "home/dog", None)),
        ("broker:99/dog", Topic("broker", 99, "dog", None)),
        ("mqtt://ann@broker:99/a%20dog", Topic("broker", 99, "a dog", "ann")),
        ("mqtt://an%40n@[::1]/dog", Topic("::1", 1883, "dog", "an@n")),
    ],
)
def test_a_topic_is_read(text, topic):
    assert topic_of(text) == topic


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("broker", "must be HOST"),
        ("broker/", "must be HOST"),
        ("http://broker/dog", "must be HOST"),
        ("/dog", "no valid host"),
        ("broker:x/secret", "no valid host"),
        ("a..b/secret", "no valid host"),
        ("mqtt://ann:secret@broker/dog", "set CAPTIONER_MQTT_PASSWORD instead"),
        ("broker/dog/secret+", "must name one topic"),
        ("broker/dog/#secret", "must name one topic"),
    ],
)
def test_what_is_no_topic_is_refused_and_not_repeated(text, message):
    with pytest.raises(ValueError, match=message) as error:
        topic_of(text)
    assert "secret" not in str(error.value)


@pytest.mark.parametrize("url", ["http://10.0.0.7/snap.jpg", "https://ann:a%2Fb@cam:8443/?x=1"])
def test_a_camera_of_http_passes(url):
    check_camera(url)


@pytest.mark.parametrize(
    "url", ["rtsp://cam/1", "http:///x", "http://ann:se/cret@cam/", "http://["]
)
def test_another_camera_is_refused_and_not_repeated(url):
    with pytest.raises(ValueError) as error:
        check_camera(url)
    assert "cret" not in str(error.value)
