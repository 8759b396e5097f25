"""`captioner questions`."""

from argparse import Namespace
from pathlib import Path

from captioner.cli.arguments import Subcommands, add_dataset


def add(subcommands: Subcommands) -> None:
    """Add the subcommand to the command line."""
    parser = subcommands.add_parser(
        "questions",
        help="make questions and answers from captions",
        description="Make questions and answers from the captions of a dataset, to train on with "
        "--dataset jsonl.",
    )
    add_dataset(parser)
    parser.add_argument("--split", required=True, help="for example train")
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FILE.jsonl",
        help="one JSON object a line: image, image_id, question, answer, kind, caption, "
        "question_id",
    )
    parser.set_defaults(run=run)


def run(args: Namespace) -> int:
    """Make questions from the captions of a dataset; their number of each kind on stdout."""
    from captioner.data.readers import load_dataset
    from captioner.questions.generate import write_questions

    examples = load_dataset(args.dataset, args.root, args.split, verify=False)
    counts = write_questions(examples, args.output)
    print(*(f"{kind:10}{count:8}" for kind, count in sorted(counts.items())), sep="\n", flush=True)
    return 0
