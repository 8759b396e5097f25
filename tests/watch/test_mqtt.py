"""Messages, through a real broker."""

import pytest
from watch.devices import MOSQUITTO, Subscriber, broker, free_port, wait

from captioner.watch.addresses import Topic
from captioner.watch.mqtt import publisher

pytestmark = pytest.mark.skipif(MOSQUITTO is None, reason="mosquitto is not installed")


def test_a_change_is_published_and_kept(tmp_path):
    port, told = free_port(), []
    topic = Topic("127.0.0.1", port, "home/dog", "ann")
    with broker(tmp_path, port, "secret"):
        with publisher(topic, "secret", told.append) as publish:
            with Subscriber(port, "ann", "secret") as subscriber:
                publish({"answer": "yes"})
                wait(lambda: subscriber.messages)
                publish({"answer": "no"})
                wait(lambda: len(subscriber.messages) == 2)
        with Subscriber(port, "ann", "secret") as later:
            wait(lambda: later.messages)
    assert subscriber.messages[-1] == ("home/dog", {"answer": "no"}, False)
    assert later.messages == [("home/dog", {"answer": "no"}, True)]
    assert told == []


def test_a_wrong_password_is_told_once(tmp_path):
    port, told = free_port(), []
    with broker(tmp_path, port, "secret"):
        with publisher(Topic("127.0.0.1", port, "dog", "ann"), "wrong", told.append):
            wait(lambda: told)
    said = f"127.0.0.1, port {port}: no MQTT broker (Not authorized); trying again"
    assert told == [said]


def test_a_broker_that_comes_later_gets_the_change(tmp_path):
    port, told = free_port(), []
    with publisher(Topic("127.0.0.1", port, "dog", None), None, told.append) as publish:
        publish({"answer": "yes"})
        wait(lambda: told)
        with broker(tmp_path, port), Subscriber(port) as subscriber:
            wait(lambda: subscriber.messages)
        wait(lambda: len(told) == 2)  # as the broker has ended
    assert subscriber.messages[0][:2] == ("dog", {"answer": "yes"})
    assert told[:1] == [f"127.0.0.1, port {port}: no MQTT broker (cannot be reached); trying again"]
