"""Compares the scores of the 8-bit graphs of the static page with those of full precision."""

import argparse
import sys
import tempfile
from collections.abc import Hashable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from captioner import presets
from captioner.data.readers import load_dataset
from captioner.data.records import Example
from captioner.evaluation.caption_metrics import CaptionScorer
from captioner.evaluation.intervals import Bootstrap, Interval
from captioner.export.web import add_graphs, with_graphs
from captioner.runtime.onnx_captioner import OnnxCaptioner

MEASURES = {"cider": "CIDEr", "bleu4": "BLEU-4"}


def captions(model: OnnxCaptioner, examples: list[Example]) -> dict[Hashable, str]:
    """The captions of photographs by beam search, by the ids of these."""
    written = model.caption([example.image for example in examples])
    return {e.image_id: caption.text for e, caption in zip(examples, written, strict=True)}


def cell(value: float, interval: Interval) -> str:
    """A score in hundredths, with its interval."""
    low, high = interval
    return f"{100 * value:6.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def main() -> None:
    """Print the scores of both, and their differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", default=presets.DEFAULT_PRESET, help="a preset with graphs")
    parser.add_argument("--dataset", required=True)
    parser.add_argument("--root", required=True)
    parser.add_argument("--split", default="dev")
    args = parser.parse_args()
    examples = load_dataset(args.dataset, args.root, args.split)
    examples = [example for example in examples if example.question is None]
    full = OnnxCaptioner.from_preset(args.weights)
    with tempfile.TemporaryDirectory() as folder:
        add_graphs(args.weights, Path(folder))
        rounded = captions(with_graphs(full, Path(folder)), examples)
    exact = captions(full, examples)
    scorer = CaptionScorer({example.image_id: example.references for example in examples})
    bootstrap = Bootstrap({example.image_id: example.image for example in examples})
    ours, theirs = scorer.measures(rounded), scorer.measures(exact)
    print(f"{'':10}{'8 bits':>24}{'full precision':>24}{'difference':>24}")
    for measure, name in MEASURES.items():
        one, other = ours[measure], theirs[measure]
        gain = cell(one.value - other.value, bootstrap.difference(one, other))
        cells = [cell(of.value, bootstrap.interval(of)) for of in (one, other)]
        print(f"{name:10}" + "".join(f"{text:>24}" for text in [*cells, gain]))
    equal = sum(text == exact[i] for i, text in rounded.items())
    print(f"equal captions: {equal} of {len(examples)}")


if __name__ == "__main__":
    main()
