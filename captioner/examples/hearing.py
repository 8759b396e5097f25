"""Speech as words: pocketsphinx, with the English acoustic model that comes with it."""

import itertools
import math
import tempfile
import wave
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from pocketsphinx import Decoder
from pocketsphinx.lm import ArpaBoLM
from scipy.signal import resample_poly

from captioner.examples import SEED

RATE = 16_000  # samples a second, of the acoustic model
# The model learned from microphones: of synthetic speech, which is silent between words, it hears
# little until there is some noise.
NOISE, SILENCE = 100, RATE // 3
# How the parts of German number words sound in English phones; R is not the German one.
SOUNDS = {
    "null": ["N UH L"],
    "ein": ["AY N"],
    "eins": ["AY N S"],
    "zwei": ["T S V AY"],
    "drei": ["D R AY", "D AY", "L AY", "OW AY", "B AY"],
    "vier": ["F IH R", "F IY ER", "F IY AH", "F IY"],
    "fünf": ["F Y UW N F", "F IH N F"],
    "sechs": ["Z EH K S"],
    "sieben": ["Z IY B AH N"],
    "acht": ["AA K T", "AA HH T"],
    "neun": ["N OY N"],
    "zehn": ["T S EY N"],
    "elf": ["EH L F"],
    "zwölf": ["T S V ER L F", "T S V EH L F"],
    "hundert": ["HH UH N D ER T", "HH UH N D AH T"],
    "tausend": ["T AW Z AH N T"],
    "und": ["UH N T"],
}
BEGINS = {
    "zwan": ["T S V AA N"],
    "drei": SOUNDS["drei"],
    "vier": ["F IH R", "F IY AH", "F IH AH", "F IH"],
    "fünf": SOUNDS["fünf"],
    "sech": ["Z EH SH", "Z EH K", "Z IH CH", "Z IH HH"],
    "sieb": ["Z IY P"],
    "acht": ["AA K", "AA HH"],
    "neun": SOUNDS["neun"],
}
ENDS = {"zehn": ["T S EY N"], "zig": ["T S IH K", "T S IY HH"], "ßig": ["S IH K", "S IY HH"]}
SOUNDS |= {
    begin + end: [" ".join(pair) for pair in itertools.product(BEGINS[begin], ENDS[end])]
    for begin, end in itertools.product(BEGINS, ENDS)
    if begin + end not in ("zwanzehn", "dreizig") and (end != "ßig" or begin == "drei")
}


def samples(path: Path) -> np.ndarray:
    """`int16[N]` of a WAV file as the recogniser hears it, with some noise around it.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no WAV file of 16 bits a sample.
    """
    try:
        with wave.open(str(path)) as file:
            rate, channels, size = file.getframerate(), file.getnchannels(), file.getsampwidth()
            sound = file.readframes(file.getnframes())
    except (wave.Error, EOFError) as error:
        raise ValueError(f"{path}: it is no WAV file ({error or 'cut short'})") from error
    if size != 2:
        raise ValueError(f"{path}: it has {8 * size} bits a sample; 16 are read")
    whole = len(sound) // (size * channels) * size * channels
    mono = np.frombuffer(sound[:whole], "<i2").reshape(-1, channels).mean(axis=1)
    common = math.gcd(rate, RATE)
    heard = resample_poly(mono, RATE // common, rate // common) if len(mono) else mono
    heard = np.pad(heard, SILENCE)
    heard += np.random.default_rng(SEED).normal(0, NOISE, len(heard))
    return heard.clip(-(2**15), 2**15 - 1).astype("int16")


class Recogniser:
    """Pocketsphinx with its English acoustic model.

    Args:
        sentences: what is said: it expects three words in a row as often as they stand here. By
            default anything in English.
        sounds: words, each with how it may sound; by default the English dictionary.
    """

    def __init__(
        self, sentences: Sequence[str] = (), sounds: dict[str, list[str]] | None = None
    ) -> None:
        settings = {"loglevel": "FATAL", "cmn": "batch"}  # nothing is kept of the utterance before
        with tempfile.TemporaryDirectory() as folder:
            if sentences:
                model = ArpaBoLM(text="".join(f"<s> {text} </s>\n" for text in sentences))
                model.compute()
                settings["lm"] = f"{folder}/lm.arpa"
                model.write_file(settings["lm"])
            if sounds:
                lines = [
                    f"{word}{f'({i})' if i > 1 else ''} {sound}\n"
                    for word, every in sounds.items()
                    for i, sound in enumerate(every, 1)
                ]
                settings["dict"] = f"{folder}/words.dict"
                Path(settings["dict"]).write_text("".join(lines), encoding="utf-8")
            self.decoder = Decoder(**settings)

    def hear(self, sound: np.ndarray) -> str:
        """The words of `int16[N]`; none if nothing was recognised."""
        self.decoder.start_utt()
        self.decoder.process_raw(sound.tobytes(), full_utt=True)
        self.decoder.end_utt()
        found = self.decoder.hyp()
        return found.hypstr if found else ""
