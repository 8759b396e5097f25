"""Clients that misbehave, at a real socket."""

import contextlib
import json
import socket
import threading
import time
import urllib.request

import pytest
from cli.double import Double
from web.test_app import calls

from captioner.cli.serve import LOCAL
from captioner.export.page_files import SITE
from captioner.web import connections, uploads
from captioner.web.app import new_app

__all__ = ["calls"]
HEAD = (
    b"POST /v1/caption HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    b"Content-Length: 1000\r\n\r\n"
)


@pytest.fixture
def port(calls, monkeypatch):
    """Of a server in a thread."""
    monkeypatch.setattr(uploads, "SECONDS", 0.5)
    monkeypatch.setattr(connections, "HEAD", 0.5)
    monkeypatch.setattr(connections, "MOST", 60)
    server = connections.new_server(new_app("toy", Double(), LOCAL))
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


def received(client):
    """All that comes until the server closes the connection."""
    client.settimeout(20)
    with contextlib.suppress(ConnectionResetError):
        return b"".join(iter(lambda: client.recv(1000), b""))
    return b""


@pytest.mark.parametrize("drip", [False, True], ids=["stops", "drips"])
def test_half_a_body_ends_in_an_error(port, drip):
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.sendall(HEAD + b'{"photo": "')
        for _ in range(12 * drip):  # never a long pause
            time.sleep(0.1)
            with contextlib.suppress(ConnectionError):
                client.sendall(b"a")
        answer = received(client)
    assert answer.startswith(b"HTTP/1.1 408") and b"took more than" in answer
    assert health(port)["refused"] == 1


@pytest.mark.parametrize("sent", [b"", HEAD[:30], b"GET /health HTTP/1.1\r\nX: "])
def test_a_head_that_does_not_come_closes_the_connection(port, sent):
    first = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    for before in (b"", first):  # the second request of a connection, too
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            client.sendall(before)
            time.sleep(0.2)
            for i in range(len(sent)):
                with contextlib.suppress(ConnectionError):
                    client.sendall(sent[i : i + 1])
                time.sleep(0.02)
            begun = time.monotonic()
            answer = received(client)
        assert time.monotonic() - begun < 5
        assert answer.count(b"HTTP/1.1") == bool(before)


def test_an_answer_that_nobody_reads_is_given_up(port, monkeypatch):
    monkeypatch.setattr(connections, "EXCHANGE", 0.2)
    request = b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        with contextlib.suppress(OSError):
            for _ in range(2000):
                client.sendall(request)
        assert health(port)["status"] == "ok"


def test_connections_beyond_the_most_are_closed(port):
    clients = [socket.create_connection(("127.0.0.1", port), timeout=20) for _ in range(80)]
    closed = 0
    for client in clients[60:]:
        closed += received(client) == b""
    assert closed == 20
    for client in clients:
        client.close()
    assert health(port)["status"] == "ok"


def test_who_leaves_in_the_middle_disturbs_nobody(port):
    for sent in (b"", HEAD[:30], HEAD, HEAD + b"{"):
        with socket.create_connection(("127.0.0.1", port), timeout=10) as client:
            client.sendall(sent)
    assert health(port)["status"] == "ok"
    url = f"http://127.0.0.1:{port}/example.jpg"
    with urllib.request.urlopen(url, timeout=10) as response:
        assert response.read() == (SITE / "example.jpg").read_bytes()


def test_many_bodies_that_do_not_come_hold_up_nobody(port):
    clients = [socket.create_connection(("127.0.0.1", port), timeout=10) for _ in range(50)]
    for client in clients:
        client.sendall(HEAD)
    assert health(port)["waiting"] == 0
    for client in clients:
        client.close()
