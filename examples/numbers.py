"""Sequence to sequence: English number words to French ones, and to digits.

python -m examples.numbers [alignment.png]

Trains on numbers below ten million and is scored on others. Drawn is the alignment: which of the
words read each word written looked at.
"""

from collections.abc import Callable, Sequence

import keras
import numpy as np
from matplotlib.figure import Figure
from num2words import num2words

from captioner.data.tokenizer import tokenize
from captioner.data.vocabulary import Vocabulary
from examples import SEED, learn, save
from examples.alignment import alignment
from examples.translator import Translator

TRAIN, UNSEEN = 10_000, 1_000
EPOCHS = {"French": 6, "digits": 10}


def english(number: int) -> str:
    """A number in English words."""
    return num2words(number).replace("-", " ")


def french(number: int) -> str:
    """A number in French words."""
    return num2words(number, lang="fr").replace("-", " ")


def digits(number: int) -> str:
    """A number as its digits, each a word."""
    return " ".join(str(number))


def numbers() -> tuple[list[int], list[int]]:
    """Numbers to train on and others, each as likely to have one digit as seven."""
    rng = np.random.default_rng(SEED)
    drawn = np.unique((10 ** rng.uniform(0, 7, 3 * (TRAIN + UNSEEN))).astype(int))
    few = [int(number) for number in rng.permutation(drawn[drawn >= 100])[: TRAIN + UNSEEN]]
    return [*range(100), *few[UNSEEN:]], few[:UNSEEN]


def learned(sources: Sequence[str], targets: Sequence[str], epochs: int) -> Translator:
    """A model that has learned to write each target of its source."""
    keras.utils.set_random_seed(SEED)
    vocabulary = Vocabulary.from_sentences([*sources, *targets], min_count=1)
    model = Translator(vocabulary)
    return learn(model, *model.batch_of(sources, targets), epochs=epochs, learning_rate=0.004)


def translator(written: Callable[[int], str], train: list[int], epochs: int) -> Translator:
    """A model that has learned to write numbers with the function `written`."""
    return learned([english(n) for n in train], [written(n) for n in train], epochs)


def exact_match(model: Translator, written: Callable[[int], str], unseen: list[int]) -> float:
    """The rate of numbers written without any mistake, by greedy search."""
    found = model.translate([english(number) for number in unseen], beam_width=1)
    return float(np.mean([a.text == written(n) for a, n in zip(found, unseen, strict=True)]))


def align(model: Translator, number: int) -> Figure:
    """The alignment of a number as a figure."""
    source = english(number)
    return alignment(tokenize(source), model.translate([source])[0].words)


def main() -> None:
    """Learn, and print what was measured."""
    train, unseen = numbers()
    for name, written in {"digits": digits, "French": french}.items():
        model = translator(written, train, EPOCHS[name])
        rate = exact_match(model, written, unseen)
        print(f"{name}: {rate:.1%} of {len(unseen)} unseen numbers are written without a mistake")
    save(align(model, 2_184_397))


if __name__ == "__main__":
    main()
