"""Tagged text as the shared task of CoNLL-2003 published it.

    EU      NNP  B-NP  B-ORG
    rejects VBZ  B-VP  O

A line a word, its label in the last column, a blank line after a sentence. The original marks the
first word of an entity "B-" only behind another of its kind; here every entity begins with "B-".
"""

from pathlib import Path

from captioner.data.records import DatasetError, read_text

Sentence = tuple[list[str], list[str]]  # words and the label of each, in BIO


def read(path: Path) -> list[Sentence]:
    """The sentences of a file.

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
