"""Makes questions and answers from the captions of a data set, to train on with `--dataset jsonl`.

python -m recipes.questions --dataset flickr8k --root DIR --split train --output train.jsonl
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from captioner.data.readers import load_dataset
from captioner.data.records import DatasetError


def main(argv: Sequence[str] | None = None) -> None:
    """Write the questions, and print their number of each kind."""
    parser = argparse.ArgumentParser(prog="questions", description=__doc__.splitlines()[0])
    parser.add_argument("--dataset", required=True, metavar="NAME", help="for example flickr8k")
    parser.add_argument("--root", type=Path, required=True, metavar="DIR", help="its folder")
    parser.add_argument("--split", required=True, help="for example train")
    parser.add_argument("--output", type=Path, required=True, metavar="FILE.jsonl")
    args = parser.parse_args(argv)
    try:
        from recipes.questions.generate import write_questions

        examples = load_dataset(args.dataset, args.root, args.split, verify=False)
        counts = write_questions(examples, args.output)
    except ModuleNotFoundError as error:
        sys.exit(f"questions: needs {error.name}; pip install 'captioner[questions]'")
    except (OSError, DatasetError) as error:
        sys.exit(f"questions: {error}")
    for kind, count in sorted(counts.items()):
        print(f"{kind:10}{count:8}")


if __name__ == "__main__":
    main()
