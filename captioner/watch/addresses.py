"""Checks of the addresses of cameras and MQTT brokers, before any connection.

Error messages never repeat an address, because it may contain a password.
"""

from typing import NamedTuple
from urllib.parse import SplitResult, unquote, urlsplit

PORT = 1883  # of MQTT
PASSWORD = "CAPTIONER_MQTT_PASSWORD"  # the environment variable


class Topic(NamedTuple):
    """A topic at an MQTT broker, with the user if the broker needs one."""

    host: str
    port: int
    name: str
    user: str | None


def is_url(text: str) -> bool:
    """Whether a source is a URL rather than a folder."""
    return "://" in text


def check_camera(url: str) -> None:
    """Check the URL of a camera.

    Raises:
        ValueError: its scheme is not HTTP or HTTPS.
    """
    if _split(url).scheme not in ("http", "https"):
        raise ValueError("must be a folder, or begin with http:// or https://")


def topic_of(text: str) -> Topic:
    """Parse `HOST[:PORT]/TOPIC` or `mqtt://[USER@]HOST[:PORT]/TOPIC`.

    Raises:
        ValueError: the text has another form, or contains a password.
    """
    parts = _split(text if is_url(text) else f"mqtt://{text}")
    name = unquote(parts.path[1:])
    if parts.scheme != "mqtt" or not name:
        raise ValueError("must be HOST[:PORT]/TOPIC or mqtt://USER@HOST[:PORT]/TOPIC")
    if parts.password is not None:
        raise ValueError(f"must not contain the password; set {PASSWORD} instead")
    if parts.query or parts.fragment or set("+#\0") & set(name):
        raise ValueError("must name one topic, without +, # and ?")
    user = unquote(parts.username) if parts.username else None
    return Topic(parts.hostname or "", parts.port or PORT, name, user)


def _split(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        # An invalid port or host name raises an error.
        if parts.port != 0 and (parts.hostname or "").encode("idna"):
            return parts
    except ValueError:
        pass
    raise ValueError("has no valid host and port; write / : @ of a password as %2F %3A %40")
