"""The training data: the train and dev splits of all data sets of a recipe."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from captioner import presets
from captioner.data.image_checks import Checks
from captioner.data.readers import load_dataset
from captioner.data.records import Example, NoSuchSplit
from captioner.data.vocabulary import SPECIAL, UNKNOWN, Vocabulary
from captioner.training import concepts
from captioner.training.answers import learned_answers
from captioner.training.batches import Photograph, photographs_of
from captioner.training.recipe import Recipe
from captioner.training.run import TrainingError
from captioner.training.texts import Text, read_texts


@dataclass(frozen=True)
class Data:
    """The train and dev splits of all data sets.

    Attributes:
        recipe: the `Recipe`.
        train, dev: the records of each data set.
        photographs, dev_photographs: the annotations of each photograph.
        texts: sentences without photographs.
        vocabulary: all words, those of captions first.
        caption_words: the number of the words of captions; None if there are no others, or no
            captions.
        concepts: the words that the head over the encoder detects.
    """

    recipe: Recipe
    train: dict[str, list[Example]]
    dev: dict[str, list[Example]]
    photographs: list[Photograph]
    dev_photographs: list[Photograph]
    texts: list[Text]
    vocabulary: Vocabulary
    caption_words: int | None
    concepts: tuple[str, ...]

    @classmethod
    def read(cls, recipe: Recipe, checks: Checks) -> Self:
        """Read the data sets of a recipe; for the errors see `captioner.training.train`.

        Args:
            recipe: the `Recipe`.
            checks: remembers the photographs that have been decoded before.
        """
        train, dev = _read(recipe, "train", checks), _read(recipe, "dev", checks)
        if not any(dev.values()):
            raise TrainingError(f"no photographs in split 'dev' of {', '.join(dev)}")
        times = {name: source.times for name, source in recipe.data.items()}
        photographs, dev_photographs = photographs_of(train, times), photographs_of(dev)
        _check_apart(photographs, dev_photographs)
        texts = read_texts(recipe.texts) if recipe.texts else []
        caption_lists = [p.captions for p in photographs] + [text.captions for text in texts]
        question_texts = list(_question_texts(itertools.chain(*train.values()), texts))
        words, caption_words = _words(caption_lists, question_texts, recipe)
        sentences = itertools.chain(*caption_lists, question_texts)
        if not any(set(words.ids(sentence)) - {UNKNOWN} for sentence in sentences):
            raise TrainingError(
                f"{', '.join(train)}: no word occurs {recipe.min_count} times in captions, or "
                f"{recipe.asked_min_count} times in questions, so there is nothing to learn; "
                "give more data"
            )
        chosen = recipe.model.concepts
        if recipe.concepts:
            in_vocabulary = set(words)
            choice = concepts.choose(caption_lists, recipe.concepts)
            chosen = tuple(word for word in choice if word in in_vocabulary)
        return cls(
            *(recipe, train, dev, photographs, dev_photographs, texts, words, caption_words),
            concepts=chosen,
        )

    @property
    def asks(self) -> bool:
        """Whether there are questions to learn from."""
        return any(p.questions for p in self.photographs) or any(t.questions for t in self.texts)

    def provenance(self) -> dict[str, Any]:
        """The sizes of all data sets, for the metadata of the weights."""
        provenance: dict[str, Any] = {
            name: {
                "train": counts(self.train[name]),
                "dev": counts(self.dev[name]),
                "times": source.times,
            }
            for name, source in self.recipe.data.items()
        }
        if self.texts:
            provenance["texts"] = {
                "captions": sum(len(text.captions) for text in self.texts),
                "questions": sum(len(text.questions) for text in self.texts),
            }
        return provenance


def _read(recipe: Recipe, split: str, checks: Checks) -> dict[str, list[Example]]:
    """The records of each data set. A set may have no split dev if another one has it."""
    found: dict[str, list[Example]] = {}
    spoken = split == "dev" or not (recipe.concepts or recipe.model.concepts)
    for name, source in recipe.data.items():
        try:
            found[name] = load_dataset(
                source.format, source.root, split, spoken=spoken, checks=checks
            )
        except NoSuchSplit:
            if split == "train" or len(recipe.data) == 1:
                raise
            found[name] = []
    return found


def _check_apart(train: Iterable[Photograph], dev: Iterable[Photograph]) -> None:
    seen = {photograph.image for photograph in train}
    for photograph in dev:
        if photograph.image in seen:
            raise TrainingError(
                f"{photograph.image}: in the split train and in dev, perhaps by another name; "
                "leave it out of one"
            )


def _words(
    caption_lists: Iterable[Sequence[str]], question_texts: Iterable[str], recipe: Recipe
) -> tuple[Vocabulary, int | None]:
    """The words of the weights and of the data, those of captions first, and the number of these.

    Captions should not contain words of answers ("7", "refridgerator"). Without captions there is
    only one kind of words.
    """
    captions = list(Vocabulary.from_sentences(itertools.chain(*caption_lists), recipe.min_count))
    questions = list(Vocabulary.from_sentences(question_texts, recipe.asked_min_count))
    if recipe.weights:
        known = list(presets.read_vocabulary(presets.find(recipe.weights)))
        top = recipe.model.caption_words or len(known)
        captions, questions = [*known[:top], *captions], [*known[top:], *questions]
    captions, questions = list(dict.fromkeys(captions)), list(dict.fromkeys(questions))
    if len(captions) == len(SPECIAL):
        return Vocabulary(questions), None
    in_captions = set(captions)
    others = [word for word in questions if word not in in_captions]
    return Vocabulary([*captions, *others]), len(captions) if others else None


def _question_texts(examples: Iterable[Example], texts: Iterable[Text]) -> Iterator[str]:
    """All questions, and the answers that are learned."""
    for example in examples:
        if example.question is not None:
            yield from (example.question, *learned_answers(example.references))
    for text in texts:
        for question, answers in text.questions:
            yield from (question, *learned_answers(answers))


def counts(examples: Sequence[Example]) -> dict[str, int]:
    """The size of a data set, for the provenance of the weights."""
    captioned = [example for example in examples if example.question is None]
    return {
        "photographs": len({example.image for example in examples}),
        "captions": sum(len(example.references) for example in captioned),
        "questions": len(examples) - len(captioned),
    }
