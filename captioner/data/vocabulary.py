"""Words <-> token ids."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Self

import numpy as np

from captioner.data.tokenizer import tokenize

PAD, START, END, UNKNOWN = range(4)
MIN_COUNT = 5  # rarer words are not learned
SPECIAL = ("<pad>", "<start>", "<end>", "<unk>")


class Vocabulary:
    """The words of a model and their ids. The first four are padding, start, end and unknown.

    Args:
        words: all words in the order of their ids, including the four special ones; or another
            vocabulary.
    """

    def __init__(self, words: Iterable[str]) -> None:
        self.words = list(words)
        if tuple(self.words[: len(SPECIAL)]) != SPECIAL:
            raise ValueError(f"a vocabulary begins with {', '.join(SPECIAL)}")
        self._ids = {word: i for i, word in enumerate(self.words)}
        if len(self._ids) != len(self.words):
            raise ValueError("a vocabulary holds every word once")

    def __len__(self) -> int:
        return len(self.words)

    def __iter__(self) -> Iterator[str]:
        return iter(self.words)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and self.words == other.words

    @classmethod
    def from_sentences(cls, sentences: Iterable[str], min_count: int = MIN_COUNT) -> Self:
        """The words that occur `min_count` times or more, the most frequent first."""
        counts = Counter(word for sentence in sentences for word in tokenize(sentence))
        frequent = [word for word, count in counts.items() if count >= min_count]
        # Ties are broken by the alphabet, so that the ids do not depend on the order of reading.
        return cls([*SPECIAL, *sorted(frequent, key=lambda word: (-counts[word], word))])

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Self:
        """Read a JSON list of words.

        Raises:
            ValueError: the file is no JSON list of words.
        """
        words = json.loads(Path(path).read_text(encoding="utf-8"))
        if not (isinstance(words, list) and all(isinstance(word, str) for word in words)):
            raise ValueError("not a list of words")
        return cls(words)

    def save(self, path: str | PathLike[str]) -> None:
        """Write a JSON list of words."""
        Path(path).write_text(
            json.dumps(self.words, ensure_ascii=False, indent=0) + "\n", encoding="utf-8"
        )

    def ids(self, sentence: str, top: int | None = None) -> list[int]:
        """The ids of the words of a sentence. Words outside the vocabulary, and words with ids of
        `top` or more, become unknown."""
        found = (self._ids.get(word, UNKNOWN) for word in tokenize(sentence))
        return [i if top is None or i < top else UNKNOWN for i in found]

    def encode(self, sentence: str, length: int, top: int | None = None) -> np.ndarray:
        """`int32[length + 1]`: start, at most `length` words and the end, then padding.

        A longer sentence is cut and has no end token, so that the model does not learn to stop
        there. For `top` see `ids`.
        """
        return _padded([START, *self.ids(sentence, top), END], length + 1)

    def encode_question(self, question: str, length: int) -> np.ndarray:
        """`int32[length]`: the words of a question, cut or padded."""
        return _padded(self.ids(question), length)

    def decode(self, ids: Iterable[int]) -> list[str]:
        """The words of token ids, up to the first end or padding token."""
        words = []
        for i in ids:
            if i in (END, PAD):
                break
            words.append(self.words[i])
        return words


def _padded(ids: Sequence[int], length: int) -> np.ndarray:
    row = np.full(length, PAD, "int32")
    row[: len(ids)] = ids[:length]
    return row
