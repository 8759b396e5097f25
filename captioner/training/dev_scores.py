"""Scores of captions and answers for the dev splits, after every epoch."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from captioner.data.records import Example
from captioner.evaluation.answer_metrics import AnswerScorer
from captioner.evaluation.caption_metrics import CaptionScorer
from captioner.generation.batching import BATCH, stream
from captioner.generation.results import Caption
from captioner.generation.samplers import Beam
from captioner.models.captioner import Captioner
from captioner.training.batches import Photograph
from captioner.training.features import ReadRows

SHOWN = 4  # photographs in TensorBoard
LOGGED = ("cider", "bleu4", "accuracy", "score")


class DevScores(keras.callbacks.Callback):
    """Captions the dev photographs and answers their questions after every epoch, and scores both.

    Adds to the logs `val_cider` and `val_bleu4` if there are captions, `val_accuracy` over the
    questions of all data sets if there are any, and `val_score`, the sum of CIDEr and accuracy.

    Args:
        model: the `Captioner`.
        data: the dev records by their data set.
        photographs: the list of `Photograph` of these records.
        read: a function of a slice of that list that returns features `float[B, R, C]`.
        average: a callback that exchanges the weights for their moving average, if that is scored.
        keep: called with the number of the epoch, from 0, and all scores, while the model has the
            weights that were scored.

    Attributes:
        shown: the first few photographs with captions, and their captions after the last epoch.
    """

    def __init__(
        self,
        model: Captioner,
        data: Mapping[str, Sequence[Example]],
        photographs: Sequence[Photograph],
        read: ReadRows,
        average: keras.callbacks.SwapEMAWeights | None = None,
        keep: Callable[[int, dict[str, float]], None] | None = None,
    ) -> None:
        super().__init__()
        self.captioner, self.average, self.keep = model, average, keep
        self.shown: list[tuple[Path, Caption]] = []
        self.photographs, self.read = photographs, read
        captions: dict[Hashable, Sequence[str]] = {
            i: p.captions for i, p in enumerate(photographs) if p.captions
        }
        self.captions = CaptionScorer(captions) if captions else None
        # Records are the keys: the ids of questions are unique only within a data set.
        questions_by_source = {
            name: [e for e in records if e.question] for name, records in data.items()
        }
        self.answers = {
            name: AnswerScorer({example: example.references for example in questions})
            for name, questions in questions_by_source.items()
            if questions
        }

    def set_model(self, model: keras.Model) -> None:
        super().set_model(model)
        if self.average is not None:
            self.average.set_model(model)

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        # The last step of an epoch may ruin weights although its loss is still finite.
        if not all(bool(ops.all(ops.isfinite(w))) for w in self.captioner.trainable_weights):
            logs["loss"] = float("nan")
        if not np.isfinite(logs["loss"]):
            logs["val_score"] = float("nan")  # `fit` reports it
            return
        if self.average is not None:
            self.average.on_test_begin()
        scores = self.evaluate()
        logs |= {f"val_{name}": scores[name] for name in LOGGED if name in scores}
        if self.keep is not None:
            self.keep(epoch, scores)
        if self.average is not None:
            self.average.on_test_end()

    def evaluate(self) -> dict[str, float]:
        """All scores of the current model; "score" decides the choice of the epoch."""
        captions, answers = self.write()
        scores = self.captions.score(captions) if self.captions else {}
        rates, counts = [], []
        for name, scorer in self.answers.items():
            selected = {example: answers[example] for example in scorer.references}
            rates.append(scorer.score(selected, with_wups=False)["accuracy"])
            counts.append(len(selected))
            scores[f"accuracy/{name}"] = rates[-1]
        if rates:
            # Over all questions: in a mean over data sets, a small set would choose by chance.
            scores["accuracy"] = float(np.average(rates, weights=counts))
        scores["score"] = scores.get("cider", 0.0) + scores.get("accuracy", 0.0)
        return scores

    def write(self) -> tuple[dict[Hashable, str], dict[Hashable, str]]:
        """The captions by the index of their photograph, and the answers by their records."""
        captions: dict[Hashable, str] = {}
        answers: dict[Hashable, str] = {}
        self.shown.clear()
        for start in range(0, len(self.photographs), BATCH):
            rows = slice(start, start + BATCH)
            batch, features = self.photographs[rows], self.read(rows)
            wanted = [[None] if photograph.captions else [] for photograph in batch]
            asked = zip(features, wanted, strict=True)
            found = list(stream(self.captioner, asked, sampler=Beam()))
            captions |= {start + i: row[0].text for i, row in enumerate(found) if row}
            examples = [(p.image, row[0]) for p, row in zip(batch, found, strict=True) if row]
            self.shown += examples[: SHOWN - len(self.shown)]
            questions = [[e.question for e in photograph.questions] for photograph in batch]
            answered = stream(
                self.captioner, zip(features, questions, strict=True), sampler=Beam(1)
            )
            for photograph, row in zip(batch, answered, strict=True):
                for example, answer in zip(photograph.questions, row, strict=True):
                    answers[example] = answer.text
        return captions, answers
