"""Speech translation: a spoken English number is recognised, corrected, translated and spoken.

python -m captioner.examples.speech [in.wav out.wav] [--models FOLDER]

Pocketsphinx recognises it, a `Translator` corrects what was misheard, another one writes it in
German, and espeak-ng says that. Both are learned where the folder lacks them. Without sound files
it prints what was measured, on speech that espeak-ng made of numbers, and with voices, that nothing
was learned from. The German is heard again, by a recogniser that knows how its number words sound.
"""

import argparse
import itertools
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from nltk.metrics.distance import edit_distance, edit_distance_align
from num2words import num2words

from captioner.data.tokenizer import tokenize
from captioner.examples import SEED, numbers
from captioner.examples.hearing import SOUNDS, Recogniser, samples
from captioner.models.translator import Translator

LIMIT = 1_000_000  # numbers are below it
EPOCHS = 6
UTTERANCES = 120  # that a corrector learns from
REPEATS = 3  # of a number that a corrector learns from, misheard otherwise each time
LEARNED_VOICES = ("en-us", "en-us+f2", "en-us+Gene", "en-gb")
SCORED_VOICES = ("en-us+m3", "en-us+f4", "en-us+Annie", "en-gb-x-rp")
SPEEDS = (120, 160, 200)  # words a minute
SCORED = 4  # utterances for each voice and speed
GERMAN = ("de", 150)
PARTS = re.compile("|".join(sorted(SOUNDS, key=len, reverse=True)))


def english(number: int) -> str:
    """A number in English words, without punctuation."""
    return " ".join(tokenize(numbers.english(number)))


def german(number: int) -> str:
    """A number in the parts of its German word: "vier und zwanzig"."""
    return " ".join(PARTS.findall(num2words(number, lang="de")))


def speak(text: str, voice: str, speed: int, path: Path) -> None:
    """Write a text as speech of espeak-ng.

    Raises:
        OSError: it cannot be written, or espeak-ng is not installed.
    """
    path.touch()  # espeak-ng ends well where it cannot write
    command = ["espeak-ng", "-v", voice, "-s", str(speed), "-w", str(path), text]
    subprocess.run(command, check=True, capture_output=True)


def utterances(said: Sequence[tuple[str, str, int]]) -> list[np.ndarray]:
    """The speech of texts, each with its voice and speed, as `samples`."""
    with tempfile.TemporaryDirectory() as folder:
        path, found = Path(folder, "said.wav"), []
        for text, voice, speed in said:
            speak(text, voice, speed, path)
            found.append(samples(path))
    return found


def confusions(pairs: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    """What each word was heard as, of pairs of what was said and what was heard.

    The words that an alignment of the least edit distance adds belong to the word before.
    """
    found = defaultdict(list)
    for said, heard in pairs:
        words, others = said.split(), heard.split()
        parts: list[list[str]] = [[] for _ in words]
        for (_, before), (i, j) in itertools.pairwise(edit_distance_align(words, others)):
            if j > before:
                parts[max(i, 1) - 1].append(others[j - 1])
        for word, part in zip(words, parts, strict=True):
            found[word].append(" ".join(part))
    return dict(found)


def mishear(text: str, known: dict[str, list[str]], rng: random.Random) -> str:
    """A text as it may be heard, each word by itself; a word of unknown confusions as it is."""
    parts = (rng.choice(known.get(word, [word])) for word in text.split())
    return " ".join(filter(None, parts))


def corrector(recogniser: Recogniser, train: Sequence[int]) -> Translator:
    """A model that has learned what was said from what `UTTERANCES` numbers are heard as."""
    rng = random.Random(SEED)
    said = [
        (english(number), rng.choice(LEARNED_VOICES), rng.choice(SPEEDS))
        for number in rng.sample(train, UTTERANCES)
    ]
    heard = [recogniser.hear(sound) for sound in utterances(said)]
    known = confusions([(text, other) for (text, *_), other in zip(said, heard, strict=True)])
    texts = [english(number) for number in train] * REPEATS
    pairs = [(misheard, text) for text in texts if (misheard := mishear(text, known, rng))]
    sources, targets = zip(*pairs, strict=True)
    return numbers.learned(sources, targets, EPOCHS // REPEATS)


def translator(train: Sequence[int]) -> Translator:
    """A model that has learned to write numbers in German."""
    texts = [english(number) for number in train]
    return numbers.learned(texts, [german(number) for number in train], EPOCHS)


def written(model: Translator, texts: Sequence[str]) -> list[str]:
    """What a model writes about each text, and nothing about nothing."""
    some = [text for text in texts if text]
    found = iter(model.translate(some) if some else [])
    return [next(found).text if text else "" for text in texts]


def word_error_rate(said: Sequence[str], heard: Sequence[str]) -> float:
    """Words to substitute, insert and delete, of the words that were said."""
    errors = [edit_distance(a.split(), b.split()) for a, b in zip(said, heard, strict=True)]
    return sum(errors) / sum(len(text.split()) for text in said)


def aloud(text: str) -> str:
    """The parts of a German number as the one word that they are."""
    return text.replace(" ", "")


def models(
    folder: Path, train: Sequence[int], ears: dict[str, Recogniser]
) -> dict[str, Translator]:
    """The translator, "german", and a corrector for each recogniser: of a folder, or learned."""
    found = {}
    for name in ("german", *ears):
        if not (folder / name).exists():
            print(f"speech: learning {folder / name}", file=sys.stderr)
            model = translator(train) if name == "german" else corrector(ears[name], train)
            model.save_to_preset(folder / name)
        found[name] = Translator.from_preset(folder / name)
    return found


def translate(source: Path, target: Path, folder: Path, train: Sequence[int]) -> None:
    """Write the speech of a file in German, and print what is understood."""
    sound = samples(source)
    ear = Recogniser([english(number) for number in train])
    known = models(folder, train, {"numbers": ear})
    heard = ear.hear(sound)
    if not heard:
        raise ValueError(f"{source}: no number is heard in it")
    corrected = written(known["numbers"], [heard])
    translated = aloud(*written(known["german"], corrected))
    speak(translated, *GERMAN, target)
    print(f"heard: {heard}\ncorrected: {corrected[0]}\ntranslated: {translated}")


def table(folder: Path, train: Sequence[int], unseen: Sequence[int]) -> None:
    """Print what was measured with each recogniser, by the speed of the speech."""
    ears = {"numbers": Recogniser([english(n) for n in train]), "anything": Recogniser()}
    again = Recogniser([german(number) for number in train], SOUNDS)
    how = [*itertools.product(SCORED_VOICES, SPEEDS)] * SCORED
    drawn = random.Random(SEED).sample(unseen, len(how))
    texts, right = [english(n) for n in drawn], [german(n) for n in drawn]
    sounds = utterances([(text, *voice) for text, voice in zip(texts, how, strict=True)])
    print(f"{len(drawn)} numbers, {sum(len(text.split()) for text in texts)} words")
    columns = "words a minute", "word errors", "corrected", "translated", "heard again"
    print(f"{'expected':12}" + "".join(f"{name:>16}" for name in columns))
    for name, ear in ears.items():
        known = models(folder, train, {name: ear})
        heard = [ear.hear(sound) for sound in sounds]
        corrected = written(known[name], heard)
        translated = written(known["german"], corrected)
        spoken = utterances([(aloud(text), *GERMAN) for text in translated])
        back = [again.hear(sound) for sound in spoken]
        every = [*zip(texts, heard, corrected, right, translated, back, strict=True)]
        for speed in (*SPEEDS, "all"):
            rows = [
                row for row, (_, each) in zip(every, how, strict=True) if speed in (each, "all")
            ]
            said, heard, corrected, *germans = map(list, zip(*rows, strict=True))
            scores = (
                word_error_rate(said, heard),
                word_error_rate(said, corrected),
                *(
                    np.mean([a == b for a, b in zip(germans[0], g, strict=True)])
                    for g in germans[1:]
                ),
            )
            print(f"{name:12}{speed:>16}" + "".join(f"{score:16.1%}" for score in scores))


def main() -> None:
    """Translate the speech of a file, or print what was measured."""
    parser = argparse.ArgumentParser(prog="speech", description="English numbers to German, spoken")
    parser.add_argument("files", nargs="*", type=Path, metavar="WAV", help="in.wav out.wav")
    parser.add_argument("--models", type=Path, default=Path("runs/speech"), metavar="FOLDER")
    args = parser.parse_args()
    if len(args.files) not in (0, 2):
        parser.error("expected in.wav out.wav, or no file")
    if not shutil.which("espeak-ng"):
        sys.exit("speech: espeak-ng is missing; on Debian: apt install espeak-ng")
    train, unseen = ([n for n in part if n < LIMIT] for part in numbers.numbers())
    try:
        if args.files:
            source, target = args.files
            translate(source, target, args.models, train)
        else:
            table(args.models, train, unseen)
    except (OSError, ValueError) as error:
        sys.exit(f"speech: {error}")


if __name__ == "__main__":
    main()
