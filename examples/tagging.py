"""Tagging: what a name stands for, by the words around it.

python -m examples.tagging [tagging.png [eng.train eng.testb]]

"I like eating apple" and "The Apple is a great company": every word gets a label, which says
whether an organisation, a person or a place begins ("B-ORG") or goes on ("I-ORG") there. A network
that reads both ways (Schuster and Paliwal, 1997) is compared with one that reads forwards and with
one that sees the word alone, on generated sentences and, if two files are named, on a corpus in the
format of CoNLL-2003. All is in lower case. Drawn are the probabilities for the two sentences.
"""

import itertools
import sys
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
from matplotlib.figure import Figure
from seqeval.metrics import f1_score

from captioner.data.records import DatasetError, read_text
from captioner.data.vocabulary import PAD, SPECIAL, UNKNOWN
from captioner.layers.cells import recurrent_cell
from examples import SEED, learn, save

Sentence = tuple[list[str], list[str]]  # words and the label of each, in BIO

# What a capital word of a template may be; fruit and animals are no names.
NAMES = {
    "FRUIT": ["apple", "orange", "blackberry", "peach"],
    "ANIMAL": ["jaguar", "puma", "fox"],
    "ORG": "apple,orange,blackberry,jaguar,puma,fox,amazon,chelsea,washington post".split(","),
    "LOC": ["amazon", "washington", "paris", "jordan", "florence", "chelsea", "orange county"],
    "PER": ["washington", "paris", "jordan", "florence", "chelsea", "jordan smith", "paris fox"],
}
EATING, COMPANY = "i like eating FRUIT", "the ORG ASIDE is a great company"
TEMPLATES = [
    EATING,
    "the FRUIT ASIDE is a sweet fruit",
    "she was eating FRUIT for breakfast",
    "she cut the FRUIT into pieces",
    "a ripe FRUIT fell from the tree",
    "the FRUIT ASIDE tastes good",
    "the ANIMAL ASIDE is a fast animal",
    "we saw a ANIMAL in the zoo",
    "a hungry ANIMAL slept under the tree",
    "the ANIMAL ASIDE has sharp teeth",
    COMPANY,
    "PER works for ORG",
    "the shares of ORG fell",
    "ORG ASIDE hired a new manager",
    "ORG ASIDE announced its results",
    "we flew to LOC in spring",
    "LOC ASIDE is full of tourists",
    "the weather in LOC was fine",
    "PER lives in LOC",
    "ORG opened a factory in LOC",
    "PER ASIDE said that she was tired",
    "we met PER at school",
    "PER ASIDE fell in love",
]
ASIDES = ["", "that my brother likes", "which we talked about yesterday"]
OPENINGS = ["", "yesterday", "my sister says that", "they think that", "it is true that"]
EPOCHS = 20  # a corpus is larger, and learned in less
CORPUS_EPOCHS = 6
UNSEEN = 5  # one in as many pairs of a template and a name is not learned

CONTEXTS = ("the word alone", "what came before", "both sides")
SHOWN = ["i like eating apple".split(), "the apple is a great company".split()]
LONGEST = 50  # words learned from a sentence
MIN_COUNT = 2  # or the word is one of the unknown ones


def sentences() -> tuple[list[Sentence], list[Sentence]]:
    """Sentences to learn from, and others: each has a name where it was never seen."""
    rng = np.random.default_rng(SEED)
    train: list[Sentence] = []
    unseen: list[Sentence] = []
    held_out = {(EATING, "apple"), (COMPANY, "apple")}
    for template in TEMPLATES:
        kinds = [word for word in template.split() if word in NAMES]
        pairs = [(template, name) for kind in kinds for name in NAMES[kind]]
        held_out |= {pair for pair in pairs if rng.integers(UNSEEN) == 0}
        asides = ASIDES if "ASIDE" in template else [""]
        names = itertools.product(*(NAMES[kind] for kind in kinds))
        for opening, aside, chosen in itertools.product(OPENINGS, asides, names):
            new = any((template, name) in held_out for name in chosen)
            (unseen if new else train).append(_written(opening, template, aside, chosen))
    return train, unseen


def _written(opening: str, template: str, aside: str, names: Sequence[str]) -> Sentence:
    words, labels, left = opening.split(), ["O"] * len(opening.split()), list(names)
    for word in template.split():
        said = left.pop(0) if word in NAMES else aside if word == "ASIDE" else word
        words += said.split()
        if word in ("ORG", "LOC", "PER"):
            labels += [f"B-{word}"] + [f"I-{word}"] * (len(said.split()) - 1)
        else:
            labels += ["O"] * len(said.split())
    return words, labels


@dataclass
class Tagger:
    """A network with the words and labels that it knows."""

    words: dict[str, int]
    labels: list[str]
    model: keras.Model

    def probabilities(self, read: Sequence[Sequence[str]]) -> np.ndarray:
        """`float[N, Q, L]` of every label for every word of N sentences."""
        logits = self.model.predict(_ids(self.words, read), batch_size=256, verbose=0)
        return keras.ops.convert_to_numpy(keras.ops.softmax(logits[..., PAD + 1 :]))

    def tag(self, read: Sequence[Sequence[str]]) -> list[list[str]]:
        """The most probable label of every word of every sentence."""
        found = self.probabilities(read).argmax(-1)
        return [
            [self.labels[i] for i in row[: len(words)]]
            for row, words in zip(found, read, strict=True)
        ]


def _ids(known: dict[str, int], read: Sequence[Sequence[str]]) -> np.ndarray:
    ids = np.full((len(read), max(map(len, read))), PAD, "int32")
    for row, words in zip(ids, read, strict=True):
        row[: len(words)] = [known.get(word.lower(), UNKNOWN) for word in words]
    return ids


def tagger(train: Sequence[Sentence], context: str, epochs: int, units: int = 64) -> Tagger:
    """A tagger that has learned from sentences.

    Args:
        train: sentences, of which the first `LONGEST` words are read.
        context: one of `CONTEXTS`, what the network sees.
        epochs: how often every sentence is seen.
        units: size of the word vectors and of what is known of a word in its context.
    """
    keras.utils.set_random_seed(SEED)
    counts = Counter(word.lower() for words, _ in train for word in words)
    kept = sorted(word for word, count in counts.items() if count >= MIN_COUNT)
    known = {word: i for i, word in enumerate([*SPECIAL, *kept])}
    labels = sorted({label for _, labels in train for label in labels})
    layers: list[keras.Layer] = [keras.layers.Embedding(len(known), units, mask_zero=True)]
    if context == "what came before":
        layers.append(keras.layers.RNN(recurrent_cell("lstm", units), return_sequences=True))
    elif context == "both sides":
        half = keras.layers.RNN(recurrent_cell("lstm", units // 2), return_sequences=True)
        layers.append(keras.layers.Bidirectional(half))
    model = keras.Sequential([*layers, keras.layers.Dense(PAD + 1 + len(labels))])
    numbers = {label: PAD + 1 + i for i, label in enumerate(labels)}
    x = _ids(known, [words[:LONGEST] for words, _ in train])
    y = np.full(x.shape, PAD, "int32")
    for row, (_, tags) in zip(y, train, strict=True):
        row[: len(tags)] = [numbers[label] for label in tags[:LONGEST]]
    learn(model, x, y, epochs=epochs, learning_rate=0.005, verbose=0)
    return Tagger(known, labels, model)


def read_conll2003(path: Path) -> list[Sentence]:
    """Read the sentences of a file in the format of CoNLL-2003.

    Each line has a word and, in the last column, its label: "EU NNP B-NP B-ORG". A blank line
    ends a sentence. The original writes "B-" only behind another entity of the same kind; here
    every entity begins with "B-".

    Raises:
        DatasetError: no such file, no sentence, or a line that is not a word and its label.
    """
    sentences: list[Sentence] = []
    begins = True
    for number, line in enumerate(read_text(path).splitlines(), 1):
        columns = line.split()
        if not columns or columns[0] == "-DOCSTART-":
            begins = True
            continue
        label = columns[-1]
        if len(columns) < 2 or not (label == "O" or label[:2] in ("B-", "I-")):
            raise DatasetError(f"{path}:{number}: expected a word and, last, its label (O, B-LOC)")
        if begins:
            sentences.append(([], []))
            begins = False
        words, labels = sentences[-1]
        inside = labels and labels[-1][2:] == label[2:]
        words.append(columns[0])
        labels.append(f"B-{label[2:]}" if label != "O" and not inside else label)
    if not sentences:
        raise DatasetError(f"{path}: no sentence in it")
    return sentences


def ambiguous(train: Sequence[Sentence]) -> set[str]:
    """The words, in lower case, that have more than one label."""
    seen = defaultdict(set)
    for words, labels in train:
        for word, label in zip(words, labels, strict=True):
            seen[word.lower()].add(label)
    return {word for word, labels in seen.items() if len(labels) > 1}


def scores(
    test: Sequence[Sentence], found: Sequence[Sequence[str]], of: set[str]
) -> tuple[float, float, float]:
    """The accuracy on all words, on the words of a set, and the F1 of entities as wholes."""
    right = [
        (word.lower() in of, label == tag)
        for (words, labels), tags in zip(test, found, strict=True)
        for word, label, tag in zip(words, labels, tags, strict=True)
    ]
    f1 = f1_score([labels for _, labels in test], found, zero_division=0)
    return (
        float(np.mean([hit for _, hit in right])),
        float(np.mean([hit for inside, hit in right if inside])),
        float(f1),
    )


def draw(taggers: dict[str, Tagger]) -> Figure:
    """A figure of the probabilities of labels for the words of the two sentences."""
    figure = Figure((4 * len(taggers), 6), dpi=120, layout="constrained")
    every = figure.subplots(len(SHOWN), len(taggers), squeeze=False)
    for row, words in zip(every, SHOWN, strict=True):
        for axes, (context, model) in zip(row, taggers.items(), strict=True):
            axes.imshow(model.probabilities([words])[0].T, "Blues", vmin=0, vmax=1)
            axes.set_title(context)
            axes.set_xticks(range(len(words)), words, rotation=45)
            axes.set_yticks(range(len(model.labels)), model.labels)
    return figure


def measure(
    name: str, train: Sequence[Sentence], test: Sequence[Sentence], epochs: int
) -> dict[str, Tagger]:
    """Learn with each context, print what was measured and return the taggers."""
    of = ambiguous(train)
    count = sum(word.lower() in of for words, _ in test for word in words)
    print(f"{name}: {len(train)} sentences learned, {len(test)} scored, {count} ambiguous words")
    print(f"{'':20}{'all words':>12}{'ambiguous':>12}{'F1':>12}")
    taggers = {context: tagger(train, context, epochs) for context in CONTEXTS}
    for context, model in taggers.items():
        found = scores(test, model.tag([words for words, _ in test]), of)
        print(f"{context:20}" + "".join(f"{score:12.1%}" for score in found))
    return taggers


def main() -> None:
    """Learn, and print what was measured."""
    files = [Path(name) for name in sys.argv[2:]]
    if len(files) not in (0, 2):
        sys.exit("tagging: expected [tagging.png [eng.train eng.testb]]")
    try:
        corpus = [read_conll2003(path) for path in files]
    except DatasetError as error:
        sys.exit(f"tagging: {error}")
    taggers = measure("generated", *sentences(), EPOCHS)
    for context, model in taggers.items():
        tagged = zip(SHOWN, model.tag(SHOWN), strict=True)
        said = (" ".join(map("/".join, zip(*pair, strict=True))) for pair in tagged)
        print(f"{context}: {', '.join(said)}")
    save(draw(taggers))
    if corpus:
        train, test = corpus
        measure(files[1].name, train, test, CORPUS_EPOCHS)


if __name__ == "__main__":
    main()
