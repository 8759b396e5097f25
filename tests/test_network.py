"""Nothing is sent anywhere: no command connects to another computer, or writes into a new home.

`strace` sees what any library does, in whatever language it is written.
"""

import base64
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from training.kills import make_data

from captioner.cli.export import FORMATS

ROOT = Path(__file__).parents[1]
PHOTOGRAPH = ROOT / "docs" / "overlay.jpg"
ADDRESS = re.compile(r'sin6?_port=htons\((\d+)\).*?(?:inet_addr\(|AF_INET6, )"([^"]+)"')
# The command line, with an encoder that is fast to train, and a comparison that other tests make.
PROGRAM = """
import json, sys
if "train" in sys.argv[1]:
    import captioner.export.formats
    import captioner.models.captioner as module
    from conftest import with_toy_encoder
    module.build_encoder = with_toy_encoder(module.build_encoder)
    captioner.export.formats.agree = lambda *_: 0.0
from captioner.cli import main
sys.exit(max(main(call) for call in json.loads(sys.argv[1])))
"""
RECIPE = """
root = "data"
encoder_weights = "encoder.h5"

[model]
encoder = "toy"
image_size = 64
annotation_size = 16
embedding_size = 16
units = 16
attention_size = 16
max_words = 5

[data.captions-csv]
root = "."

[phases.frozen]
epochs = 1
"""
FONTS = r"\.cache/matplotlib/fontlist-v[\d.]+\.json"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]


class Watched:
    """Runs commands with a new home, and keeps a list of the connections that they try."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.home, self.trace = folder, folder / "home", folder / "trace"
        self.home.mkdir()

    def start(self, *calls: list[str]) -> subprocess.Popen:
        """Calls of the command line, one after the other in one process."""
        calls_traced = "trace=connect,sendto,sendmsg,sendmmsg"
        strace = f"strace -f -qq --seccomp-bpf -e signal=none -e {calls_traced} -o".split()
        variables = {"HOME": self.home, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"}
        path = Path(sys.executable).parent
        return subprocess.Popen(
            [*strace, self.trace, sys.executable, "-c", PROGRAM, json.dumps(calls)],
            cwd=self.folder,
            env={"PATH": f"{path}:/usr/bin:/bin", **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *calls: list[str]) -> str:
        """Their output on stdout."""
        process = self.start(*calls)
        out, err = process.communicate(timeout=900)
        assert process.returncode == 0, err
        return out

    @property
    def connections(self) -> set[str]:
        """The addresses of other computers; a name server counts as one wherever it is."""
        found = ADDRESS.findall(self.trace.read_text(errors="replace"))
        ours = ("127.", "::1", "::ffff:127.")
        return {place for port, place in found if port == "53" or not place.startswith(ours)}

    @property
    def written(self) -> set[str]:
        """The files in the home folder."""
        found = [path for path in self.home.rglob("*") if path.is_file()]
        return {str(path.relative_to(self.home)) for path in found}


@pytest.fixture
def watched(tmp_path):
    return Watched(tmp_path)


def test_the_trace_shows_a_connection_and_a_name_that_is_looked_up(watched, monkeypatch):
    """Otherwise the tests below could not fail."""
    program = """
import socket
for act in (lambda: socket.create_connection(("192.0.2.1", 9), 0.1),
            lambda: socket.create_connection(("::1", 9), 0.1),
            lambda: socket.getaddrinfo("name.invalid", 9)):
    try:
        act()
    except OSError:
        pass
"""
    monkeypatch.setattr(f"{__name__}.PROGRAM", program)
    watched.run()
    assert "192.0.2.1" in watched.connections and len(watched.connections) > 1


def test_captions_answers_and_descriptions(watched):
    copy = shutil.copy(PHOTOGRAPH, watched.folder)
    asked = ["--question", "what color is the hat?", "--json"]
    out = watched.run(["caption", copy], ["caption", copy, *asked], ["describe", copy])
    assert '"answer": ' in out
    assert (watched.connections, watched.written) == (set(), set())


def test_the_server(watched):
    process = watched.start(["serve", "--port", "0"])
    address = re.search(r"http://\S+/", process.stderr.readline())[0]
    photograph = json.dumps({"photo": base64.b64encode(PHOTOGRAPH.read_bytes()).decode()}).encode()
    request = urllib.request.Request(
        f"{address}v1/caption", photograph, {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            assert json.load(answer)["caption"]
    finally:
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        os.kill(int(children.split()[0]), signal.SIGTERM)  # strace would not hand it on
        process.communicate(timeout=20)
    assert (watched.connections, watched.written) == (set(), set())


def test_bulk_on_ray(watched):
    """Ray looks for the provider of a machine in the cloud, and for the machine's own address."""
    watched.run(["bulk", str(PHOTOGRAPH), "--output", "out", "--engine", "ray"])
    assert (watched.folder / "out" / "part-00000.parquet").exists()
    with socket.socket(type=socket.SOCK_DGRAM) as probe:  # nothing is sent
        probe.connect(("8.8.8.8", 53))
        own = probe.getsockname()[0]
    name_servers = set(re.findall(r"(?m)^nameserver (\S+)", Path("/etc/resolv.conf").read_text()))
    ours = {own, f"::ffff:{own}"}
    assert watched.connections - ours <= {"169.254.169.254", "8.8.8.8", *name_servers}
    assert watched.written == set()


def test_training_and_every_format(watched):
    make_data(watched.folder / "data")
    (watched.folder / "toy.toml").write_text(RECIPE)
    # The format web is left out: npm downloads its runtime.
    formats = [form for form in FORMATS if form != "web"]
    exports = (f"export --weights out --format {form} --output {form}" for form in formats)
    train = "train --config toy.toml --output out"
    watched.run(train.split(), *map(str.split, exports))
    assert watched.connections == set()
    # Keras writes its settings. It also imports Matplotlib, which writes a list of the fonts.
    fonts = {name for name in watched.written if re.fullmatch(FONTS, name)}
    assert watched.written - fonts == {".keras/keras.json"}
    assert (watched.home / ".keras" / "keras.json").stat().st_size < 300
