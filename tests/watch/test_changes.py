"""Changes, and flicker that is none."""

import pytest

from captioner.watch.changes import Changes


@pytest.mark.parametrize(
    ("texts", "agreeing", "new"),
    [
        ("yyyy", 2, "y   "),
        ("yynn", 2, "y  n"),
        ("ynyny", 2, "y    "),
        ("ynnyy", 2, "y n y"),
        ("ynoo", 2, "y  o"),
        ("ynn", 1, "yn "),
        ("yny", 1, "yny"),
        ("ynnynnn", 3, "y     n"),
    ],
)
def test_a_text_counts_when_looks_in_a_row_agree(texts, agreeing, new):
    changes = Changes(agreeing)
    assert [text if changes.is_new(text) else " " for text in texts] == list(new)
