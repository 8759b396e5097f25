"""The terminal: stdout that lets every file name pass, one line on stderr for each error."""

import contextlib
import io
import logging
import os
import sys
import unicodedata
from collections.abc import Iterator


def prepare_stdout(as_json: bool) -> None:
    """Let file names that are no text pass: as their own bytes, or as the escapes of JSON."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        if as_json:
            # A lone surrogate becomes \udcXX, which JSON reads back as that surrogate.
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace")
        else:
            encoding = sys.getfilesystemencoding()
            sys.stdout.reconfigure(encoding=encoding, errors="surrogateescape")


def report(error: Exception | str) -> None:
    """Tell of an error, or of what should be known, in one line on stderr."""
    if isinstance(error, OSError) and error.filename is not None:
        message = f"{error.filename}: {error.strerror}"
    else:
        message = str(error)
    print("captioner:", printable(" ".join(message.splitlines())), file=sys.stderr)


def printable(text: str) -> str:
    """A text, as of a file's name, that neither ends a line, nor a field, nor moves the cursor."""
    return "".join(
        ascii(c)[1:-1] if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text
    )


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Import TensorFlow within it, and stderr stays clean then and later.

    TensorFlow's libraries log while they are loaded, before they heed TF_CPP_MIN_LOG_LEVEL, so
    for that time the file descriptor itself leads nowhere; setting the level to 0 shows all.
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
    # Only now: while it is imported into an interactive session, TensorFlow sets another level.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
