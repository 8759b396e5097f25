"""Clients that misbehave, at a real socket."""

import json
import socket
import threading
import time
import urllib.request

import pytest
import uvicorn
from cli.double import Double
from web.test_app import calls, photo

from captioner.web import uploads
from captioner.web.app import new_app

__all__ = ["calls"]
HEAD = (
    b"POST /v1/caption HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n"
)


@pytest.fixture
def port(calls, tmp_path, monkeypatch):
    """Of a server in a thread."""
    monkeypatch.setattr(uploads, "SECONDS", 0.3)
    (tmp_path / "example.png").write_bytes(photo())
    app = new_app("toy", Double(), tmp_path / "example.png")
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical"))
    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join()


def health(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=10) as response:
        return json.load(response)


def test_half_a_body_ends_in_an_error(port):
    with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
        client.sendall(HEAD + b'{"photo": "')
        answer = b""
        while not answer.endswith(b"}"):
            answer += client.recv(1000)
    assert answer.startswith(b"HTTP/1.1 408") and b"nothing came for" in answer
    assert health(port)["refused"] == 1


def test_who_leaves_in_the_middle_disturbs_nobody(port):
    for sent in (b"", HEAD[:30], HEAD, HEAD + b"{"):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(sent)
    assert health(port)["status"] == "ok"
    url = f"http://127.0.0.1:{port}/example"
    with urllib.request.urlopen(url, timeout=10) as response:
        assert response.read() == photo()


def test_many_bodies_that_do_not_come_hold_up_nobody(port):
    clients = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(50)]
    for client in clients:
        client.sendall(HEAD)
    assert health(port)["waiting"] == 0
    for client in clients:
        client.close()
