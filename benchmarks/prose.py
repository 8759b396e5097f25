"""The effect of the rules of writing on captions by people: `python benchmarks/prose.py --help`."""

import argparse
import itertools
import random
import re
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np

from captioner.data.readers import load_dataset
from captioner.data.tokenizer import tokenize
from captioner.data.vocabulary import SPECIAL, Vocabulary
from captioner.generation.prose import with_articles, with_commas
from captioner.generation.rules import Rules

_COMMA = re.compile(r",(?!\d)")  # not that of "1,000"


def words_and_commas(caption: str) -> tuple[list[str], set[int]]:
    """The words of a caption, and the numbers of those that a comma follows."""
    parts = [tokenize(part) for part in _COMMA.split(caption)]
    ends = itertools.accumulate(map(len, parts[:-1]))
    return [word for part in parts for word in part], {end - 1 for end in ends}


def commas_of(written: list[str]) -> set[int]:
    """The numbers of the words that a comma follows, of what `with_commas` wrote."""
    places = [i for i, word in enumerate(written) if word == ","]
    return {place - 1 - earlier for earlier, place in enumerate(places)}


def changes(caption: str) -> Iterator[tuple[str, str]]:
    """The changes of a caption by the rules: pairs of a kind and the new text."""
    words, theirs = words_and_commas(caption)
    agreed = with_articles(words)
    for word, other in zip(words, agreed, strict=True):
        if word != other:
            yield "article changed", " ".join(agreed)
        elif word in ("a", "an"):
            yield "article kept", ""
    written = with_commas(words)
    for place in commas_of(written):
        yield "comma, as in the caption" if place in theirs else "comma, new", " ".join(written)


def names_twice(captions: list[list[str]]) -> list[str]:
    """The captions that name a thing by two names, which the search does not."""
    vocabulary = Vocabulary([*SPECIAL, *sorted({word for words in captions for word in words})])
    senses = Rules.of(vocabulary).senses
    ids = {word: i for i, word in enumerate(vocabulary.words)}
    twice = []
    for words in captions:
        said = np.array([ids[word] for word in set(words)], int)
        if len(set(senses[said])) < len(said):
            twice.append(" ".join(words))
    return twice


def main() -> None:
    """Count the changes, and show some that no person wrote."""
    parser = argparse.ArgumentParser(description="Apply the rules of writing to captions.")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--split", default="train")
    parser.add_argument("--show", type=int, default=20, help="how many changes of a kind")
    args = parser.parse_args()
    examples = load_dataset(args.dataset, args.root, args.split, verify=False)
    captions = [text for e in examples if e.question is None for text in e.references]
    found: dict[str, list[str]] = defaultdict(list)
    for caption in captions:
        for kind, text in changes(caption):
            found[kind].append(text)
    found["thing with two names"] = names_twice([tokenize(caption) for caption in captions])
    print(f"{'captions':30}{len(captions):>8}")
    for kind in sorted(found):
        print(f"{kind:30}{len(found[kind]):>8}")
    for kind in ("article changed", "comma, new", "thing with two names"):
        print(f"\n{kind}:")
        for text in random.Random(0).sample(found[kind], min(args.show, len(found[kind]))):
            print(f"  {text}")


if __name__ == "__main__":
    main()
