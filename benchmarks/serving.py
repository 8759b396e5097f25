"""Measures the server under several clients for a minute: `python benchmarks/serving.py`."""

import argparse
import io
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
import uuid
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from speed import photographs

from captioner import OnnxCaptioner

ROOT = Path(__file__).parents[1]
QUESTION = "what color is it?"
DIFFERENT = 16  # photographs, all that are turned differently


def memory(pid: int) -> float:
    """The resident memory of a process, in MB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1000


def body(photograph: bytes, question: str = "") -> tuple[bytes, dict[str, str]]:
    """A form with a photograph and a question, and its headers."""
    boundary = uuid.uuid4().hex
    field = f"--{boundary}\r\nContent-Disposition: form-data; name="
    head = f'{field}"question"\r\n\r\n{question}\r\n{field}"photo"; filename="p"\r\n\r\n'
    content = head.encode() + photograph + f"\r\n--{boundary}--\r\n".encode()
    return content, {"Content-Type": f"multipart/form-data; boundary={boundary}"}


def renewed(photograph: bytes) -> bytes:
    """The same photograph as another file: nothing reads what follows the end of a JPEG."""
    return photograph + uuid.uuid4().bytes


def answer_seconds(url: str, photograph: bytes, repeats: int = 50) -> tuple[float, float]:
    """The median seconds of an answer about a new photograph, and of one after the caption."""

    def post(path: str, *fields: Any) -> float:
        begun = time.monotonic()
        request = urllib.request.Request(f"{url}v1/{path}", *body(*fields))
        with urllib.request.urlopen(request) as reply:
            reply.read()
        return time.monotonic() - begun

    first, after = [], []
    for _ in range(repeats):
        first.append(post("answer", renewed(photograph), QUESTION))
        known = renewed(photograph)
        post("caption", known)
        after.append(post("answer", known, QUESTION))
    return statistics.median(first), statistics.median(after)


class Clients:
    """Clients that each send one photograph after the other and compare what comes.

    Args:
        url: of the server.
        sent: photographs, as files' contents.
        expected: their captions.
    """

    def __init__(self, url: str, sent: list[bytes], expected: list[str]) -> None:
        self.url, self.sent, self.expected = url, sent, expected
        self.seconds: list[float] = []
        self.errors: list[str] = []
        self.mixed = 0

    def run(self, count: int, seconds: float) -> None:
        """Let `count` of them work for some seconds."""
        end = time.monotonic() + seconds
        threads = [threading.Thread(target=self._work, args=(i, end)) for i in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def _work(self, number: int, end: float) -> None:
        turn = number * 7
        while time.monotonic() < end:
            i = turn % len(self.sent)
            turn += 1
            content, headers = body(renewed(self.sent[i]))
            begun = time.monotonic()
            try:
                request = urllib.request.Request(f"{self.url}v1/caption", content, headers)
                with urllib.request.urlopen(request, timeout=60) as response:
                    caption = json.load(response)["caption"]
            except OSError as error:
                self.errors.append(str(error))
                continue
            self.seconds.append(time.monotonic() - begun)
            self.mixed += caption != self.expected[i]


def main() -> int:
    """Print the figures; 1 if there was an error or a photograph got another one's caption."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clients", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=60)
    args = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        sent = [Path(path).read_bytes() for path in photographs(Path(folder), DIFFERENT)]
    model = OnnxCaptioner.from_preset("everyday")
    expected = [caption.text for caption in model.caption([io.BytesIO(p) for p in sent])]
    many = [io.BytesIO(p) for p in sent] * 8
    begun = time.perf_counter()
    model.caption(many)
    bulk = len(many) / (time.perf_counter() - begun)
    del model

    command = [sys.executable, "-m", "captioner", "serve", "--port", "0"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as server:
        url = re.search(r"http://\S+/", server.stderr.readline())[0]
        clients = Clients(url, sent, expected)
        clients.run(args.clients, 5)  # warm
        clients.seconds.clear()
        before, begun = memory(server.pid), time.monotonic()
        clients.run(args.clients, args.seconds)
        rate = len(clients.seconds) / (time.monotonic() - begun)
        after = memory(server.pid)
        first, again = answer_seconds(url, sent[0])
        server.terminate()
    print(f"{len(set(expected))} different captions of {len(sent)} photographs")
    print(f"bulk, in one process   {bulk:8.1f} photographs/s")
    print(f"{args.clients} clients, {args.seconds:.0f} s        {rate:8.1f} photographs/s")
    print(f"of the bulk rate       {rate / bulk:8.2f}")
    quick, slow = statistics.median(clients.seconds), max(clients.seconds)
    print(f"seconds an answer      {quick:8.2f} median, {slow:.2f} longest")
    print(f"an answer, ms          {1000 * first:8.1f} first, {1000 * again:.1f} after the caption")
    print(f"memory                 {before:8.0f} MB before, {after:.0f} MB after")
    print(f"errors, mixed up       {len(clients.errors):8} , {clients.mixed}")
    return int(bool(clients.errors or clients.mixed))


if __name__ == "__main__":
    sys.exit(main())
