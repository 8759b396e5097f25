"""Rules for captions, tested on models that would break them."""

import numpy as np
import pytest
from searches import candidates_of

from captioner.data.vocabulary import END, PAD, SPECIAL, Vocabulary
from captioner.generation.rules import LONGEST_PHRASE, Rules
from captioner.generation.samplers import Beam

VOCABULARY = Vocabulary([*SPECIAL, "a", "dog", "on", "hat", "garbage_bin"])
A, DOG, ON, HAT, BIN = range(4, 9)


def broken(written, asked=False, last_step=False, caption_words=8):
    """The ids that may not follow the words written."""
    rules = Rules.of(VOCABULARY, caption_words)
    said = np.zeros((1, 1, len(VOCABULARY)), bool)
    said[..., written] = True
    recent = np.full((1, 1, 2 * LONGEST_PHRASE - 1), PAD, "int32")
    if written:
        tail = written[-recent.shape[-1] :]
        recent[..., -len(tail) :] = tail
    mask = rules.broken_by(said, recent, np.array(last_step), np.array([asked]))
    return set(np.flatnonzero(np.array(mask)[0, 0]))


def test_captions_hold_only_words_of_captions():
    assert broken([]) == {BIN}
    assert broken([], asked=True) == set()
    assert broken([], caption_words=None) == set()


def test_a_content_word_is_said_once_and_a_function_word_again():
    assert DOG in broken([A, DOG, ON, A])
    assert A not in broken([A, DOG, ON])


def test_of_the_names_of_one_thing_only_one_is_said():
    vocabulary = Vocabulary([*SPECIAL, "a", "television", "dog", "tvs", "tv"])
    rules = Rules.of(vocabulary)
    nothing, _ = rules.nothing_said(1, 2)
    # One beam says a tv, the other a dog.
    said = np.array(rules.mark_used(nothing, np.array([[8, 6]])))
    assert [vocabulary.words[i] for i in np.flatnonzero(said[0, 0])] == ["television", "tv"]
    assert [vocabulary.words[i] for i in np.flatnonzero(said[0, 1])] == ["dog"]
    again = np.array(rules.mark_used(said, np.array([[4, 5]])))
    assert again.sum(axis=-1).tolist() == [[3, 3]]


def test_no_word_is_said_twice_in_a_row_also_in_answers():
    assert broken([A]) >= {A}
    assert broken([BIN], asked=True) == {BIN}


def test_no_phrase_is_said_twice_in_a_row():
    assert A in broken([ON, A, ON])
    assert broken([DOG, HAT, A, DOG, HAT], asked=True) == {A, HAT}


def test_a_caption_does_not_end_in_a_function_word():
    assert END in broken([A, DOG, ON])
    assert END not in broken([A, DOG])
    assert {A, ON} <= broken([A, DOG], last_step=True)
    assert END not in broken([ON], asked=True)


@pytest.mark.parametrize("seed", range(3))
def test_no_caption_of_the_search_breaks_a_rule(toy, seed):
    """Untrained models repeat themselves more than any other."""
    # As many content words as a caption may have words: there is always one that is not yet said.
    model = toy(seed=seed, caption_words=13)
    channels = model.encoder.output_shape[-1]
    features = np.random.default_rng(seed).normal(size=(4, model.regions, channels))
    limit = set(model.vocabulary.words[:13])
    function = {
        w for w, c in zip(model.vocabulary.words, model.rules.content, strict=True) if not c
    }
    for candidates in candidates_of(model, {"features": features.astype("float32")}, Beam(3)):
        words = [word.word for word in candidates[0].words]
        assert set(words) <= limit
        assert all(one != other for one, other in zip(words, words[1:], strict=False))
        content = [word for word in words if word not in function]
        assert len(content) == len(set(content))
