"""A camera and a broker on this computer."""

import contextlib
import io
import json
import shutil
import socket
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion
from PIL import Image

MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin")


def picture(red=0):
    """A picture of one colour as a PNG."""
    file = io.BytesIO()
    Image.new("RGB", (9, 7), (red, 0, 0)).save(file, "PNG")
    return file.getvalue()


@contextlib.contextmanager
def camera(answer):
    """The URL of a camera.

    `answer` gets the headers of each request, and returns a status, headers and the parts of a
    body.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            status, headers, parts = answer(self.headers)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            with contextlib.suppress(OSError):  # a client that leaves
                for part in parts:
                    self.wfile.write(part)

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/picture.png"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return listening.getsockname()[1]


@contextlib.contextmanager
def broker(folder, port, password=None):
    """Mosquitto on a port; with a password it admits the user "ann" alone."""
    settings = [f"listener {port} 127.0.0.1", f"allow_anonymous {str(password is None).lower()}"]
    settings.append("user root")  # only heeded if root starts it; by default it becomes another one
    if password is not None:
        path = folder / "passwords"
        subprocess.run(["mosquitto_passwd", "-c", "-b", path, "ann", password], check=True)
        settings.append(f"password_file {path}")
    (folder / "mosquitto.conf").write_text("\n".join(settings) + "\n")
    command = [MOSQUITTO, "-c", folder / "mosquitto.conf"]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            wait(lambda: listens(port))
            yield
        finally:
            process.terminate()


class Subscriber:
    """Collects the messages of all topics: JSON, and whether the broker had kept it."""

    def __init__(self, port, user=None, password=None):
        self.messages = []
        self._client = Client(CallbackAPIVersion.VERSION2)
        self._client.username_pw_set(user, password)
        self._client.on_connect = lambda client, *_: client.subscribe("#", qos=1)
        self._client.on_message = lambda _client, _data, message: self.messages.append(
            (message.topic, json.loads(message.payload), message.retain)
        )
        self._client.connect("127.0.0.1", port)

    def __enter__(self):
        self._client.loop_start()
        return self

    def __exit__(self, *_):
        self._client.disconnect()
        self._client.loop_stop()


def listens(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait(condition, seconds=20):
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
