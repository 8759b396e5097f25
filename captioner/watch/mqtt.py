"""Publication of changes by MQTT, for home automation."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from captioner.watch.addresses import Topic

Publish = Callable[[dict[str, Any]], None]


@contextlib.contextmanager
def publisher(
    topic: Topic, password: str | None, report: Callable[[str], None]
) -> Iterator[Publish]:
    """Connect to a broker and yield a function that publishes JSON.

    A lost connection is opened again, and then sends the waiting messages. The broker keeps the
    last message for later subscribers.

    Args:
        topic: the topic and its broker.
        password: password of `topic.user`.
        report: called from another thread with one line, once for each loss of the connection.
    """
    client = Client(CallbackAPIVersion.VERSION2)
    if topic.user is not None:
        client.username_pw_set(topic.user, password)
    reported = False

    def trouble(reason: object) -> None:
        nonlocal reported
        if not reported:
            report(f"{topic.host}, port {topic.port}: no MQTT broker ({reason}); trying again")
        reported = True

    def connected(client: Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        nonlocal reported
        if reason.is_failure:
            trouble(reason)
        else:
            reported = False

    def disconnected(client: Client, data: Any, flags: Any, reason: Any, properties: Any) -> None:
        if reason.is_failure:
            trouble(reason)

    def publish(change: dict[str, Any]) -> None:
        client.publish(topic.name, json.dumps(change), qos=1, retain=True)

    client.on_connect, client.on_disconnect = connected, disconnected
    client.on_connect_fail = lambda client, data: trouble("cannot be reached")
    client.connect_async(topic.host, topic.port)
    client.loop_start()
    try:
        yield publish
    finally:
        client.disconnect()
        client.loop_stop()
