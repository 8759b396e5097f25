"""METEOR and SPICE, which need pycocoevalcap and Java."""

import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence

# In its own process: pycocoevalcap and Java print to stdout, may download models (SPICE), and fail
# in many ways, which must not affect the other scores.
JAVA_SECONDS = 300  # plus one for each caption; then the score is skipped
_JAVA_SCORER = """
import importlib, json, socket, sys
socket.setdefaulttimeout(30)
name, references, captions = json.load(sys.stdin)
module = importlib.import_module(f"pycocoevalcap.{name}.{name}")
print(getattr(module, name.capitalize())().compute_score(references, captions)[0])
"""


def meteor_spice(
    hypotheses: Sequence[Sequence[str]], references: Sequence[Sequence[Sequence[str]]]
) -> tuple[dict[str, float], dict[str, str]]:
    """METEOR and SPICE of N tokenised captions, by pycocoevalcap.

    Returns:
        The scores, and one line with the reason for each missing score.
    """
    names = ("meteor", "spice")
    if importlib.util.find_spec("pycocoevalcap") is None:
        return {}, dict.fromkeys(names, "pycocoevalcap is not installed")
    if shutil.which("java") is None:
        return {}, dict.fromkeys(names, "there is no Java")
    captions = {str(i): [" ".join(tokens)] for i, tokens in enumerate(hypotheses)}
    reference_texts = {str(i): [" ".join(tokens) for tokens in r] for i, r in enumerate(references)}
    scores, left_out = {}, {}
    for name in names:
        limit = JAVA_SECONDS + len(hypotheses)
        # Its own session, so that its Java process can be ended too.
        with subprocess.Popen(
            [sys.executable, "-c", _JAVA_SCORER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            start_new_session=True,
        ) as run:
            try:
                out, err = run.communicate(
                    json.dumps([name, reference_texts, captions]), timeout=limit
                )
            except subprocess.TimeoutExpired:
                os.killpg(run.pid, signal.SIGKILL)
                left_out[name] = f"no answer in {limit} s"
                continue
        if run.returncode == 0:
            scores[name] = float(out.split()[-1])
        else:
            left_out[name] = (err.strip() or f"exit {run.returncode}").splitlines()[-1]
    return scores, left_out
