"""Words that are misheard, sound files, and a number that is heard, translated and spoken."""

import random
import sys
import wave
from types import SimpleNamespace

import numpy as np
import pytest
from num2words import num2words

from captioner.examples import hearing, speech


def write(path, sound, rate=hearing.RATE, channels=1, size=2):
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(size)
        file.setframerate(rate)
        file.writeframes(np.asarray(sound).tobytes())
    return path


def test_german_words_are_parts_that_have_a_sound():
    assert speech.german(1044) == "ein tausend vier und vierzig"
    for number in range(0, speech.LIMIT, 9_973):
        parts = speech.german(number)
        assert speech.aloud(parts) == num2words(number, lang="de")
        assert set(parts.split()) <= set(hearing.SOUNDS)
    assert speech.english(2104) == "two thousand one hundred and four"


def test_no_voice_is_both_learned_and_scored():
    assert not set(speech.LEARNED_VOICES) & set(speech.SCORED_VOICES)


def test_confusions_are_read_off_the_alignment():
    pairs = [("forty seven", "for the salmon"), ("seven", "seven"), ("one", "")]
    found = speech.confusions(pairs)
    assert found["one"] == [""]
    assert found["seven"][-1] == "seven"
    # However its two words are aligned, nothing that was heard is lost.
    assert " ".join(found["forty"] + found["seven"][:1]) == "for the salmon"
    assert speech.confusions([("one two", "uh one two")]) == {"one": ["uh one"], "two": ["two"]}


def test_a_text_is_misheard_as_its_words_were():
    known = {"forty": ["for the", ""], "two": ["two"]}
    heard = {speech.mishear("forty two one", known, random.Random(i)) for i in range(20)}
    assert heard == {"for the two one", "two one"}


def test_words_are_wrong_by_the_edit_distance():
    said, heard = ["forty seven", "one"], ["for the salmon", "one"]
    assert speech.word_error_rate(said, heard) == pytest.approx(3 / 3)
    assert speech.word_error_rate(said, said) == 0
    assert speech.word_error_rate(said, ["", "one"]) == pytest.approx(2 / 3)


def test_nothing_is_written_about_nothing():
    class Model:
        def translate(self, texts):
            assert texts and all(texts)
            return [SimpleNamespace(text=text.upper()) for text in texts]

    assert speech.written(Model(), ["one", "", "two"]) == ["ONE", "", "TWO"]
    assert speech.written(Model(), [""]) == [""]


def test_a_sound_is_resampled_and_has_noise_around_it(tmp_path):
    tone = (8000 * np.sin(np.arange(22_050) / 20)).astype("<i2")
    both = np.stack([tone, tone], axis=1)
    found = hearing.samples(write(tmp_path / "tone.wav", both, rate=22_050, channels=2))
    assert found.dtype == "int16" and len(found) == hearing.RATE + 2 * hearing.SILENCE
    assert found[: hearing.SILENCE].std() == pytest.approx(hearing.NOISE, rel=0.05)
    inside = found[hearing.SILENCE : -hearing.SILENCE]
    assert inside.std() == pytest.approx(8000 / np.sqrt(2), rel=0.02)
    assert len(hearing.samples(write(tmp_path / "none.wav", []))) == 2 * hearing.SILENCE


@pytest.mark.parametrize(
    ("content", "why"), [(b"", "no WAV file"), (b"RIFF????MP3 ", "no WAV file")]
)
def test_what_is_no_sound_is_named(tmp_path, content, why):
    path = tmp_path / "it.wav"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"it.wav: it is {why}"):
        hearing.samples(path)


def test_eight_bits_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"it.wav: it has 8 bits a sample"):
        hearing.samples(write(tmp_path / "it.wav", np.zeros(100, "uint8"), size=1))


@pytest.mark.parametrize(
    ("files", "found", "line"),
    [
        (["missing.wav", "out.wav"], "/usr/bin/espeak-ng", "No such file.*missing.wav"),
        (["missing.wav", "out.wav"], None, "apt install espeak-ng"),
    ],
)
def test_what_is_wrong_is_one_line(files, found, line, monkeypatch):
    monkeypatch.setattr(speech.shutil, "which", lambda _: found)
    monkeypatch.setattr(sys, "argv", ["speech", *files])
    with pytest.raises(SystemExit, match=f"^speech: .*{line}[^\n]*$"):
        speech.main()


@pytest.mark.slow
def test_a_number_is_heard_translated_and_spoken(tmp_path, monkeypatch, capsys):
    for name, value in {"LIMIT": 100, "UTTERANCES": 12, "EPOCHS": 60}.items():
        monkeypatch.setattr(speech, name, value)
    source, target = tmp_path / "in.wav", tmp_path / "out.wav"
    speech.speak("ninety eight", "en-us", 150, source)
    files = [str(source), str(target), "--models", str(tmp_path / "models")]
    monkeypatch.setattr(sys, "argv", ["speech", *files])
    speech.main()
    printed = capsys.readouterr()
    assert "heard: ninety eight\ncorrected: ninety eight\ntranslated: achtundneunzig" in printed.out
    assert printed.err.count("learning") == 2
    again = speech.Recogniser([speech.german(n) for n in range(100)], hearing.SOUNDS)
    assert again.hear(hearing.samples(target)) == "acht und neunzig"


@pytest.mark.slow
def test_silence_is_no_number(tmp_path, monkeypatch):
    write(tmp_path / "in.wav", np.zeros(hearing.RATE, "<i2"))
    monkeypatch.setattr(speech, "models", lambda *_: {})
    with pytest.raises(ValueError, match="in.wav: no number is heard"):
        speech.translate(tmp_path / "in.wav", tmp_path / "out.wav", tmp_path, [1, 2])
    assert not (tmp_path / "out.wav").exists()
