"""Captions and answers for the dev splits after every epoch, scored; the best become the preset."""

from collections.abc import Hashable, Mapping, Sequence
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

SHOWN = 4  # photographs


class DevScores(keras.callbacks.Callback):
    """Writes about the dev photographs by beam search after every epoch, and scores it.

    Adds to the logs `val_cider`, `val_bleu4` and `val_accuracy`, over the questions of all data
    sets, and `val_score`, the sum of CIDEr and accuracy, as far as the data have captions and
    questions. Writes the preset when `val_score` is the best so far.

    Args:
        model: the `Captioner` that writes.
        data: a dict of the dev records by their data set.
        photographs: the list of `Photograph` of these records.
        read: a function of a slice of that list that returns features `float[B, R, C]`.
        output: the folder of the preset.
        provenance: that of the weights, as a dict.
        best: the score that must be exceeded.
        averages: the callback that exchanges the weights for the mean of those before, if that is
            what is scored and saved.

    Attributes:
        shown: the first few photographs with captions, and what was written about each last.
    """

    def __init__(
        self,
        model: Captioner,
        data: Mapping[str, Sequence[Example]],
        photographs: Sequence[Photograph],
        read: ReadRows,
        output: Path | None,
        provenance: dict[str, Any],
        best: float,
        averages: keras.callbacks.SwapEMAWeights | None = None,
    ) -> None:
        super().__init__()
        self.captioner, self.averages = model, averages
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
        self.output, self.provenance, self.best = output, provenance, best

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        # The last step of an epoch may ruin weights whose loss was still finite.
        if not all(bool(ops.all(ops.isfinite(w))) for w in self.captioner.trainable_weights):
            logs["loss"] = float("nan")
        if not np.isfinite(logs["loss"]):
            logs["val_score"] = float("nan")  # never the best; `fit` says why it ends
            return
        if self.averages is not None:
            self.averages.on_test_begin()
        self.score(epoch, logs)
        if self.averages is not None:
            self.averages.on_test_end()

    def score(self, epoch: int, logs: dict[str, Any]) -> None:
        """Write, score, and keep the preset if it is the best so far."""
        captions, answers = self.write()
        scores = self.captions.score(captions) if self.captions else {}
        rates, counts = [], []
        for name, scorer in self.answers.items():
            selected = {example: answers[example] for example in scorer.references}
            rates.append(scorer.score(selected, with_wups=False)["accuracy"])
            counts.append(len(selected))
            scores[f"accuracy/{name}"] = rates[-1]
        # Not the mean over data sets: a set of few questions would choose the epoch by chance.
        accuracy = float(np.average(rates, weights=counts)) if rates else 0.0
        scores["score"] = scores.get("cider", 0.0) + accuracy
        if captions:
            logs["val_cider"], logs["val_bleu4"] = scores["cider"], scores["bleu4"]
        if rates:
            logs["val_accuracy"] = accuracy
        logs["val_score"] = scores["score"]
        if self.output is not None and scores["score"] > self.best:
            self.best = scores["score"]
            self.provenance["phases"][-1]["chosen_epoch"] = epoch + 1
            metadata = {"training": self.provenance, "dev_scores_in_training": scores}
            self.captioner.save_to_preset(self.output, metadata)

    def write(self) -> tuple[dict[Hashable, str], dict[Hashable, str]]:
        """The captions by the numbers of their photographs, the answers by their records."""
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
