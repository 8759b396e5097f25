"""The terminal: stdout for any file name, and one line on stderr for each error."""

import contextlib
import io
import logging
import os
import sys
import unicodedata
from collections.abc import Iterator


def prepare_stdout(as_json: bool) -> None:
    """Let stdout print file names in invalid UTF-8: as raw bytes, or as JSON escapes."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        if as_json:
            # A lone surrogate becomes \udcXX, which JSON decodes to the same surrogate.
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        else:
            encoding = sys.getfilesystemencoding()
            sys.stdout.reconfigure(encoding=encoding, errors="surrogateescape")


def report(error: Exception | str) -> None:
    """Print an error or a note in one line on stderr."""
    if isinstance(error, OSError) and error.filename is not None:
        message = f"{error.filename}: {error.strerror}"
    else:
        message = str(error)
    print("captioner:", printable(" ".join(message.splitlines())), file=sys.stderr)


def printable(text: str) -> str:
    """A text with control characters and line separators escaped."""
    return "".join(
        ascii(c)[1:-1] if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text
    )


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Silence TensorFlow during its import in this context, and later.

    The libraries of TensorFlow log before they read TF_CPP_MIN_LOG_LEVEL, so stderr itself is
    redirected to the null device. TF_CPP_MIN_LOG_LEVEL=0 shows all messages.
    """
    if os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3") == "0":
        yield
        return
    sys.stderr.flush()
    stderr, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(nowhere)
    # After the import, because TensorFlow sets another level in interactive sessions.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
