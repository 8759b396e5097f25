"""A Transformer beside a recurrent network: English number words to French ones.

python -m examples.transformer [heads.png]

Both have as many parameters, learn the same numbers and are scored on others. It is said that the
Transformer is better, and four times as fast to train: printed is what a step of training takes,
how long each needs until it writes 95 of 100 unseen numbers without a mistake, and how a
Transformer does whose words do not know where they stand. Drawn is where each of its heads looked.
"""

import time
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from keras import ops
from matplotlib.figure import Figure

from captioner.data.tokenizer import tokenize
from captioner.data.vocabulary import Vocabulary
from captioner.layers.transformer_decoder import TransformerDecoder
from examples import SEED, alignment, learn, save
from examples.numbers import english, exact_match, french, numbers
from examples.translator import Translator, TranslatorConfig

EPOCHS = 5
ENOUGH = 0.95  # of unseen numbers without a mistake
TRIED = 300  # of them, after each epoch
RECURRENT = TranslatorConfig()
TRANSFORMER = replace(RECURRENT, decoder="transformer", units=64, layers=2)
VARIANTS = {
    "recurrent": RECURRENT,
    "Transformer": TRANSFORMER,
    "Transformer without positions": replace(TRANSFORMER, positional=False),
}
LEARNING_RATES = {"recurrent": 0.004, "transformer": 0.003}


class Course(keras.callbacks.Callback):
    """Notes the seconds of each step, and the score after each epoch."""

    def __init__(self, unseen: list[int]) -> None:
        super().__init__()
        self.unseen = unseen
        self.seconds: list[float] = []
        self.scores: list[float] = []

    def on_train_batch_begin(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict[str, Any] | None = None) -> None:
        self.seconds.append(time.perf_counter() - self.began)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.scores.append(exact_match(self.model, french, self.unseen))

    @property
    def step(self) -> float:
        """The seconds of a step; the median, for the first ones also compile."""
        return float(np.median(self.seconds))

    @property
    def enough(self) -> float | None:
        """The seconds of the steps until it wrote enough without a mistake; None if it never did.

        Compiling is not counted.
        """
        for epoch, score in enumerate(self.scores, 1):
            if score >= ENOUGH:
                return self.step * len(self.seconds) * epoch / len(self.scores)
        return None


def trained(
    config: TranslatorConfig, train: list[int], unseen: list[int], epochs: int
) -> tuple[Translator, Course]:
    """A model that has learned to write numbers in French, and how that went."""
    keras.utils.set_random_seed(SEED)
    sources, targets = [english(n) for n in train], [french(n) for n in train]
    vocabulary = Vocabulary.from_sentences([*sources, *targets], min_count=1)
    model, course = Translator(vocabulary, config), Course(unseen[:TRIED])
    rate = LEARNING_RATES[config.decoder]
    pairs = model.batch_of(sources, targets)
    learn(model, *pairs, epochs=epochs, learning_rate=rate, callbacks=[course])
    return model, course


def heads(model: Translator, number: int) -> Figure:
    """Where the heads of each layer of the decoder look for the words of a number."""
    assert isinstance(model.decoder, TransformerDecoder)
    read, written = tokenize(english(number)), tokenize(french(number))
    inputs, _ = model.batch_of([english(number)], [french(number)])
    _, looks = model.decoder.looks(inputs["tokens"], model.memory(inputs))
    arrays = [ops.convert_to_numpy(look)[0, : len(written), :, : len(read)] for look in looks]
    return alignment.heads(read, written, arrays)


def main() -> None:
    """Learn, and print what was measured."""
    train, unseen = numbers()
    print("| | parameters | a step | until 95 % | unseen numbers without a mistake |")
    print("| --- | --- | --- | --- | --- |")
    for name, config in VARIANTS.items():
        model, course = trained(config, train, unseen, EPOCHS)
        rate, enough = exact_match(model, french, unseen), course.enough
        until = "never" if enough is None else f"{enough:.0f} s"
        print(
            f"| {name} | {model.count_params():,} | {1000 * course.step:.0f} ms | {until} |"
            f" {rate:.1%} |"
        )
        if config is TRANSFORMER:
            save(heads(model, 2_184_397))


if __name__ == "__main__":
    main()
