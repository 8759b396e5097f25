"""Captions, answers and samples of photographs, for the users of a model."""

import functools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from os import PathLike
from typing import Any

import numpy as np

from captioner.data.images import Source, load_image, map_ahead, open_image, small_jpeg, squash
from captioner.data.tokenizer import has_words
from captioner.generation import BEAM_WIDTH
from captioner.generation.batching import stream
from captioner.generation.prose import text_of
from captioner.generation.results import Caption
from captioner.generation.samplers import Beam, Sampling

SHOWN = 480  # pixels of the longer side of a photograph that a caption keeps


class PhotographCaption(Caption):
    """A `Caption` that a notebook shows as its photograph with hoverable words."""

    __slots__ = ()

    def _repr_html_(self) -> str | None:
        if self.photograph is None or not self.words:
            return None
        from captioner.overlay.html_page import shown

        return shown(self.photograph, self.words, self.text)


@dataclass(frozen=True, eq=False)
class Look:
    """A photograph that a model has encoded once, for any number of captions and answers.

    Attributes:
        model: the model.
        features: of the photograph, `float[R, C]`.
        photograph: its path or a small JPEG, for notebooks.
    """

    model: "PhotographMixin"
    features: np.ndarray
    photograph: Any

    def caption(self, **options: Any) -> Caption:
        """`PhotographMixin.caption` of this photograph."""
        return self.model.caption(self, **options)

    def answer(self, questions: Any, **options: Any) -> Any:
        """`PhotographMixin.answer` about this photograph."""
        return self.model.answer(self, questions, **options)

    def sample(self, **options: Any) -> Caption:
        """`PhotographMixin.sample` of this photograph."""
        return self.model.sample(self, **options)


Image = Source | Look


class PhotographMixin:
    """`caption`, `answer` and `sample` of a `CaptionModel` that reads photographs."""

    config: Any

    @property
    def answers(self) -> bool:
        """Whether it answers questions."""
        return bool(self.config.question_units)

    @property
    def steps(self) -> int:
        """T, the maximum number of tokens of a sentence, including the end token."""
        return self.config.max_words + 1

    def detokenize(self, words: Sequence[str], is_answer: bool) -> str:
        """The text of words: an answer if `is_answer`, else a sentence."""
        return text_of(words, is_answer)

    def search_inputs(self, arrays: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
        """The "features" of photographs `uint8[S, S, 3]` or of features `float[R, C]`."""
        model: Any = self
        fresh = [array for array in arrays if array.ndim == 3]
        encoded = iter(model.encode(np.stack(fresh)) if fresh else ())
        return {"features": np.stack([next(encoded) if a.ndim == 3 else a for a in arrays])}

    def look(self, image: Source) -> Look:
        """Encode a photograph once, for any number of captions and answers.

        Args:
            image: as for `caption`.

        Raises:
            ImageError: the photograph cannot be read.

        Examples:
            >>> look = model.look("photo.jpg")
            >>> look.caption().text, look.answer("what color is the hat?").text
        """
        model: Any = self
        pixels, photograph = _load(image, self.config.image_size)
        return Look(self, model.encode(pixels[None])[0], photograph)

    def caption(
        self, images: Image | Sequence[Image], beam_width: int = BEAM_WIDTH, top: int = 1
    ) -> Any:
        """Write a caption by beam search.

        Args:
            images: a photograph (path, binary file, `PIL.Image`, `uint8[S, S, 3]` or `Look`) or
                a list of them.
            beam_width: the number of beams K; 1 is greedy search.
            top: the number of candidates to return, at most `beam_width`.

        Returns:
            A `Caption`, or a list of them.

        Raises:
            ImageError: a photograph that cannot be read.
        """
        rows = self._write(images, Beam(beam_width), top)
        return _as_given(images, [row[0] for row in rows])

    def answer(
        self,
        images: Image | Sequence[Image],
        questions: Any,
        beam_width: int = BEAM_WIDTH,
        top: int = 1,
    ) -> Any:
        """Answer questions by beam search.

        Args:
            images: as for `caption`.
            questions: a question or a list of questions for every photograph. Or, for a list of
                photographs, a list of questions for each. None asks for a caption.
            beam_width: as for `caption`.
            top: as for `caption`.

        Returns:
            A `Caption` whose text is the answer. A list of them for a list of questions, and a
            list of these for a list of photographs.

        Raises:
            ImageError: a photograph cannot be read.
            ValueError: a question without words, lists for another number of photographs, or a
                model without questions.
        """
        if not self.answers:
            raise ValueError("this model was trained without questions, so it only captions")
        count = len(images) if isinstance(images, list | tuple) else 1
        several = isinstance(questions, list | tuple)
        rows = list(questions) if several else [questions]
        if not rows or not all(isinstance(row, list | tuple) for row in rows):
            rows = [rows] * count
        if len(rows) != count:
            raise ValueError(f"questions for {len(rows)} photographs, not for {count}")
        for question in {question for row in rows for question in row} - {None}:
            if not has_words(question):
                raise ValueError(f"a question has words, not {question!r}")
        answers = self._write(images, Beam(beam_width), top, questions=list(map(list, rows)))
        return _as_given(images, [row if several else row[0] for row in answers])

    def sample(
        self,
        images: Image | Sequence[Image],
        temperature: float = 1.0,
        top_p: float = 1.0,
        samples: int = 1,
        seed: int | None = None,
    ) -> Any:
        """Sample captions (nucleus sampling, Holtzman et al., 2020).

        Args:
            images: as for `caption`.
            temperature: below 1 for more probable words, above 1 for less probable ones.
            top_p: sample only from the most probable words that together reach this probability.
            samples: the number of captions; the most probable one comes first.
            seed: an integer; the same seed gives the same captions.

        Returns:
            A `Caption` whose candidates are the samples, or a list of them.
        """
        rows = self._write(images, Sampling(temperature, top_p, samples), samples, seed=seed)
        return _as_given(images, [row[0] for row in rows])

    def _write(
        self,
        images: Image | Sequence[Image],
        sampler: Beam | Sampling,
        top: int,
        *,
        questions: list[list[str | None]] | None = None,
        seed: int | None = None,
    ) -> list[list[Caption]]:
        """For each photograph a list with a `Caption` for each question, of `top` candidates."""
        if not 1 <= top <= sampler.width:
            raise ValueError(f"top is {top}, but the search keeps {sampler.width} candidates")
        sources: Any = images if isinstance(images, list | tuple) else [images]
        size, shown = self.config.image_size, []

        def arrays() -> Iterator[np.ndarray]:
            for array, photograph in map_ahead(functools.partial(_load, size=size), sources):
                shown.append(photograph)
                yield array

        model: Any = self
        asked: list[list[str | None]] = questions or [[None]] * len(sources)
        items = zip(arrays(), asked, strict=True)
        found = list(stream(model, items, sampler=sampler, seed=seed))
        return [
            [
                PhotographCaption(*c)._replace(candidates=c.candidates[:top], photograph=photograph)
                for c in row
            ]
            for row, photograph in zip(found, shown, strict=True)
        ]


def _load(source: Image, size: int) -> tuple[np.ndarray, Any]:
    """The input of the model, and the image for notebooks.

    Raises:
        ImageError: it cannot be read.
    """
    if isinstance(source, Look):
        return source.features, source.photograph
    if isinstance(source, str | PathLike):
        return load_image(source, size), source
    image = open_image(source, at_least=2 * size)
    return squash(image, size), small_jpeg(image, SHOWN)


def _as_given(images: Any, results: list[Any]) -> Any:
    return results if isinstance(images, list | tuple) else results[0]
