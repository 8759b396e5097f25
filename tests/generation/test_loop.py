import gc
import itertools
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from keras import ops
from searches import candidates_of

from captioner.data.vocabulary import END, PAD, START, UNKNOWN
from captioner.generation import batching, loop
from captioner.generation.results import OUTPUTS
from captioner.generation.samplers import Beam, Sampling


@pytest.fixture
def toy(toy):
    """The search as such: what rules forbid is tested beside them."""

    def make(*args, **settings):
        model = toy(*args, **settings)
        model.rules = None
        return model

    return make


def prefer(model, token, by):
    """Make a token likelier or less likely by adding to its logit, through a patched decoder."""
    logits = model.decoder.logits
    bias = by * (np.arange(len(model.vocabulary)) == token).astype("float32")
    model.decoder.logits = lambda *args, **kwargs: logits(*args, **kwargs) + bias


def raw(model, features, sampler):
    return model.search({"features": features, **sampler.inputs(model.steps, len(features), 0)})


def test_greedy_takes_the_likeliest_word_at_every_step(toy, features):
    model = toy()
    x = features(model, batch=2)
    (tokens,) = raw(model, x[:1], Beam(1))["tokens"][0]
    decoder = model.decoder
    memory = decoder.memory(model.annotations(x[:1]))
    states, last = decoder.initial_states(memory, 1), np.array([START])
    for t in range(model.steps):
        words = decoder.embedding(last)
        output, context, _, states = decoder.step(words, states, memory)
        logits = ops.convert_to_numpy(decoder.logits(words, output, context))[0]
        logits[[PAD, START, UNKNOWN] + ([END] if t == 0 else [])] = -np.inf
        last = logits.argmax(keepdims=True)
        assert tokens[t] == last[0]
        if last[0] == END:
            break


def test_a_wide_beam_finds_the_best_of_all_sentences(toy, features):
    """Against brute force: every sentence of up to three tokens is scored by teacher forcing."""
    model = toy(max_words=2, seed=3)
    prefer(model, END, 1.0)
    x = features(model, batch=1)
    words = range(4, len(model.vocabulary))
    sentences = [[a, END, PAD] for a in words]
    sentences += [[a, b, END] for a, b in itertools.product(words, words)]
    sentences += [list(abc) for abc in itertools.product(words, words, words)]
    targets = np.array(sentences)
    tokens = np.concatenate([np.full((len(targets), 1), START), targets[:, :-1]], 1)
    logits, _ = model.decoder(tokens, model.decoder.memory(model.annotations(x)))
    log_probs = ops.take_along_axis(ops.log_softmax(logits), targets[..., None], -1)[..., 0]
    written = targets != PAD
    totals = (ops.convert_to_numpy(log_probs) * written).sum(1)
    means = totals / written.sum(1)

    best = candidates_of(model, {"features": x}, Beam(len(model.vocabulary) ** 2))[0][0]
    expected = model.vocabulary.decode(targets[means.argmax()])
    assert [word.word for word in best.words] == expected
    assert best.score == pytest.approx(means[means.argmax()], abs=1e-4)


@pytest.mark.parametrize("method", [Beam(1), Beam(3), Sampling(width=2)])
def test_when_nothing_ends_the_partial_captions_come_back(toy, features, method):
    model = toy()
    prefer(model, END, -1e6)
    for candidates in candidates_of(model, {"features": features(model)}, method):
        assert len(candidates) == method.width
        assert all(len(found.words) == model.steps for found in candidates)
        assert all(np.isfinite(found.score) for found in candidates)


def test_decoding_stops_as_soon_as_everything_has_ended(toy, features):
    model = toy(max_words=50)
    prefer(model, END, 50.0)
    steps = []
    step = model.decoder.step

    def counted(*args, **kwargs):
        steps.append(1)
        return step(*args, **kwargs)

    model.decoder.step = counted
    writer = loop.Generator(model)
    writer.run_eagerly = True
    inputs = {"features": features(model), **Beam(1).inputs(model.steps, groups=3)}
    tokens = ops.convert_to_numpy(writer(inputs)["tokens"])
    assert (tokens[:, 0, 1] == END).all() and (tokens[:, 0, 2:] == PAD).all()
    assert len(steps) == 2  # one word and the end token


def test_finished_beams_are_frozen(toy, features):
    model = toy(max_words=10)
    prefer(model, END, 1.5)
    outputs = raw(model, features(model, batch=8), Beam(4))
    ended = 0
    for tokens, log_probs, attention in zip(
        *(outputs[key].reshape(-1, *outputs[key].shape[2:]) for key in OUTPUTS),
        strict=True,
    ):
        if END in tokens:
            end = tokens.tolist().index(END)
            ended += end < model.steps - 1
            assert (tokens[end + 1 :] == PAD).all()
            assert (log_probs[end + 1 :] == 0).all() and (attention[end + 1 :] == 0).all()
    assert ended > 5


def test_length_normalisation_prefers_the_better_of_two_lengths():
    # A finished beam of two tokens, sum -2.0, against one of three tokens, sum -2.4, that goes on
    # with a token of -0.4. By their sums the first is better; by their means, -1.0 and -0.7, it
    # is not.
    scores = np.array([[-2.0, -2.4]], "float32")
    impossible = loop.IMPOSSIBLE
    log_probs = np.array([[[0, *[impossible] * 2], [impossible, -0.4, -9.0]]], "float32")
    merits = (scores[..., None] + log_probs) / np.array([[[2.0], [4.0]]])
    parents, tokens = loop.best(merits, np.zeros((1, 2)))
    assert ops.convert_to_numpy(parents).tolist() == [[1, 0]]
    assert ops.convert_to_numpy(tokens).tolist() == [[1, PAD]]


@pytest.mark.parametrize("method", [Beam(5), Sampling(width=5)])
def test_candidates_come_best_first_with_their_mean_log_probability(toy, features, method):
    model = toy(max_words=10)
    x = {"features": features(model, batch=8)}
    for candidates in candidates_of(model, x, method, seed=0):
        merits = []
        for found in candidates:
            logs = [np.log(word.probability) for word in found.words]
            ended = len(logs) < model.steps
            total = found.score * (len(logs) + ended)
            # The total minus that of the words is the log-probability of the end token.
            assert total <= sum(logs) + 1e-3 if ended else total == pytest.approx(sum(logs), 1e-4)
            merits.append(found.score)
        assert merits == sorted(merits, reverse=True)


@pytest.mark.parametrize("method", [Beam(4), Sampling(temperature=3.0, width=4)])
def test_special_tokens_are_never_written(toy, features, method):
    model = toy()
    for token in (UNKNOWN, START, PAD):
        prefer(model, token, 20.0)
    outputs = raw(model, features(model, batch=6), method)
    assert not np.isin(outputs["tokens"], [START, UNKNOWN]).any()
    assert (outputs["tokens"][:, :, 0] > UNKNOWN).all()  # nor is a sentence empty


def test_attention_sums_to_one_for_every_word(toy, features):
    model = toy()
    for candidates in candidates_of(model, {"features": features(model)}, Beam(3)):
        for word in candidates[0].words:
            assert word.attention.shape == model.grid == (2, 2)
            assert word.attention.sum() == pytest.approx(1, abs=1e-5)


def test_attention_and_probability_belong_to_the_winning_beam(toy, features):
    """Beams change places; what is returned must be the history of the one that won."""
    model = toy(seed=5)
    x = features(model, batch=4)
    for i, candidates in enumerate(candidates_of(model, {"features": x}, Beam(5))):
        ids = [model.vocabulary.words.index(word.word) for word in candidates[0].words]
        logits, attention = model.decoder(
            np.array([[START, *ids]]), model.decoder.memory(model.annotations(x[i : i + 1]))
        )
        probabilities = ops.convert_to_numpy(ops.softmax(logits))[0]
        for t, word in enumerate(candidates[0].words):
            assert word.probability == pytest.approx(probabilities[t, ids[t]], rel=1e-3)
            np.testing.assert_allclose(
                word.attention.ravel(), ops.convert_to_numpy(attention)[0, t], atol=1e-4
            )


def test_a_photograph_gets_the_same_caption_alone_and_in_a_batch(toy, features):
    model = toy()
    x = features(model, batch=5)
    together = candidates_of(model, {"features": x}, Beam(3))
    for i in range(5):
        (alone,) = candidates_of(model, {"features": x[i : i + 1]}, Beam(3))
        assert alone[0].text == together[i][0].text


def test_the_photograph_is_encoded_once_and_its_keys_projected_once(toy, monkeypatch):
    model = toy()
    calls = {"encoder": 0, "keys": 0}

    def count(name, function):
        def counted(*args, **kwargs):
            calls[name] += 1
            return function(*args, **kwargs)

        return counted

    monkeypatch.setattr(model, "features", count("encoder", model.features))
    attention = model.decoder.attention
    monkeypatch.setattr(attention, "keys", count("keys", attention.keys))
    writer = loop.Generator(model)
    inputs = {"photographs": np.zeros((2, 64, 64, 3), "uint8"), **Beam(4).inputs(model.steps, 2)}
    outputs = writer(inputs)  # not compiled: every call is counted
    assert (ops.convert_to_numpy(outputs["tokens"])[:, 0] != PAD).sum() > 4
    assert calls == {"encoder": 1, "keys": 1}


def test_samples_repeat_with_a_seed_and_differ_without(toy, features):
    model = toy()
    x = {"features": features(model, batch=4)}
    method = Sampling(temperature=2.0)
    one, again, other = (
        [found[0].text for found in candidates_of(model, x, method, seed)] for seed in (1, 1, 2)
    )
    assert one == again != other


def test_samples_without_a_seed_differ_and_a_seed_repeats_from_any_thread(toy):
    model, photograph = toy(), np.zeros((64, 64, 3), "uint8")

    def draw(seed):
        return model.sample(photograph, temperature=5.0, samples=4, seed=seed).candidates

    expected = [[c.text for c in draw(seed)] for seed in range(20)]
    with ThreadPoolExecutor(2) as pool:
        found = [[c.text for c in candidates] for candidates in pool.map(draw, range(20))]
    assert found == expected
    assert len({tuple(c.text for c in draw(None)) for _ in range(5)}) > 1


def test_a_temperature_and_a_width_compile_nothing_anew(toy, features):
    model = toy()
    x = {"features": features(model)}
    for width in (1, 2, 3):
        candidates_of(model, x, Beam(width))
    count = model.compiled_functions.generator.predict_function.experimental_get_tracing_count
    traced = count()
    for temperature in (0.5, 1.0, 2.0):
        candidates_of(model, x, Sampling(temperature, top_p=0.9, width=4), seed=0)
    assert count() == traced


def test_a_deleted_model_leaves_nothing_behind(toy):
    model = toy()
    model.caption(np.zeros((64, 64, 3), "uint8"))
    left = weakref.ref(model)
    del model
    gc.collect()
    assert left() is None


def test_a_cold_sample_is_the_greedy_caption(toy, features):
    model = toy()
    x = {"features": features(model)}
    cold = candidates_of(model, x, Sampling(temperature=1e-4))
    greedy = candidates_of(model, x, Beam(1))
    assert [c[0].text for c in cold] == [c[0].text for c in greedy]


def test_the_nucleus_is_the_smallest_set_that_reaches_top_p():
    logits = np.log(np.array([[0.5, 0.3, 0.15, 0.05]], "float32"))
    kept = ops.convert_to_numpy(loop.nucleus(logits, 0.7))[0] > -100
    assert kept.tolist() == [True, True, False, False]
    kept = ops.convert_to_numpy(loop.nucleus(logits, 0.81))[0] > -100
    assert kept.tolist() == [True, True, True, False]
    kept = ops.convert_to_numpy(loop.nucleus(logits, 1e-6))[0] > -100
    assert kept.tolist() == [True, False, False, False]


def test_asking_for_more_candidates_than_beams_is_an_error(toy):
    with pytest.raises(ValueError, match="top is 5"):
        toy().caption(np.zeros((64, 64, 3), "uint8"), beam_width=3, top=5)


def test_one_photograph_gives_one_caption_and_a_list_gives_a_list(toy):
    model = toy()
    photograph = np.random.default_rng(0).integers(0, 255, (64, 64, 3)).astype("uint8")
    one = model.caption(photograph, beam_width=2, top=2)
    (listed,) = model.caption([photograph])
    assert one.text == one.candidates[0].text and len(one.candidates) == 2
    assert one.text[0].isupper() and one.text.endswith(".")
    assert len(listed.candidates) == 1
    assert model.caption([]) == []
    assert (
        len(model.caption([photograph] * (batching.BATCH + 1), beam_width=1)) == batching.BATCH + 1
    )


def test_sampling_through_the_model(toy):
    photograph = np.zeros((64, 64, 3), "uint8")
    model = toy()
    drawn = model.sample(photograph, temperature=1.5, top_p=0.95, samples=3, seed=7)
    assert len(drawn.candidates) == 3 and drawn.text == drawn.candidates[0].text
    again = model.sample(photograph, temperature=1.5, top_p=0.95, samples=3, seed=7)
    assert [found.text for found in again.candidates] == [found.text for found in drawn.candidates]


@pytest.mark.parametrize(
    "settings", [{"temperature": 0}, {"top_p": 0.0}, {"top_p": 1.5}, {"samples": 0}]
)
def test_settings_without_sense_are_refused(toy, settings):
    with pytest.raises(ValueError, match="sampling takes"):
        toy().sample(np.zeros((64, 64, 3), "uint8"), **settings)
    with pytest.raises(ValueError, match="a beam width is 1 or more, not 0"):
        toy().caption(np.zeros((64, 64, 3), "uint8"), beam_width=0)


@pytest.fixture
def answering(toy):
    return toy(question_units=8, max_question_words=4)


def test_ten_questions_about_a_photograph_encode_it_once(answering, monkeypatch):
    encoded, rows = [], []
    encode, search = answering.encode, answering.search

    def counted(photographs):
        encoded.append(photographs.shape)
        return encode(photographs)

    def seen(inputs):
        assert "photographs" not in inputs
        rows.append(inputs["questions"].shape)
        return search(inputs)

    monkeypatch.setattr(answering, "encode", counted)
    monkeypatch.setattr(answering, "search", seen)
    photograph = np.zeros((64, 64, 3), "uint8")
    questions = ["a dog", "the cat", "red", "a man on grass", "left"] * 2
    answers = answering.answer(photograph, questions)
    assert len(answers) == 10 and encoded == [(1, 64, 64, 3)] and rows == [(1, 10, 4)]
    assert [a.text for a in answers[:5]] == [a.text for a in answers[5:]]
    # Also where they are too many to be decoded at once.
    monkeypatch.setattr(batching, "GROUPS", 4)
    again = answering.answer(photograph, questions)
    assert len(encoded) == 2 and rows[1:] == [(1, 4, 4), (1, 4, 4), (1, 2, 4)]
    assert [a.score for a in again] == pytest.approx([a.score for a in answers], abs=1e-5)


def test_a_look_is_encoded_once_and_writes_the_same(answering, monkeypatch):
    photograph = np.random.default_rng(1).integers(0, 255, (64, 64, 3)).astype("uint8")
    encoded, encode = [], answering.encode

    def counted(photographs):
        encoded.append(len(photographs))
        return encode(photographs)

    monkeypatch.setattr(answering, "encode", counted)
    look = answering.look(photograph)
    caption, answers = look.caption(top=2), look.answer(["a dog", None], beam_width=2)
    sample = look.sample(samples=2, seed=3)
    assert encoded == [1]
    assert caption.text == answering.caption(photograph).text and len(caption.candidates) == 2
    again = answering.answer(photograph, ["a dog", None], beam_width=2)
    assert [a.text for a in answers] == [a.text for a in again]
    assert sample.text == answering.sample(photograph, samples=2, seed=3).text
    assert caption.photograph is look.photograph
    # Among photographs that are encoded now.
    other = np.zeros((64, 64, 3), "uint8")
    found = answering.caption([other, look, photograph])
    assert [c.text for c in found[1:]] == [caption.text] * 2
    assert found[0].text == answering.caption(other).text


def test_every_photograph_may_have_questions_of_its_own(answering, monkeypatch):
    photographs = list(np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3)).astype("uint8"))
    questions = [["a dog", "left", None, "red"], ["the cat"], [None, "red"]]
    for rows in (batching.GROUPS, 6):  # 6: two for each photograph, so that all questions take two
        monkeypatch.setattr(batching, "GROUPS", rows)
        table = answering.answer(photographs, questions)
        assert [len(row) for row in table] == [4, 1, 2]
        for photograph, asked, row in zip(photographs, questions, table, strict=True):
            for question, answer in zip(asked, row, strict=True):
                ask = (answering.answer, (question,)) if question else (answering.caption, ())
                alone = ask[0](photograph, *ask[1])
                assert alone.text == answer.text
                assert alone.score == pytest.approx(answer.score, abs=1e-5)


def test_a_question_is_answered_the_same_alone_and_among_others(answering):
    photographs = np.random.default_rng(0).integers(0, 255, (3, 64, 64, 3)).astype("uint8")
    questions = ["a dog", "the red cat", "left"]
    table = answering.answer(list(photographs), questions)
    for photograph, row in zip(photographs, table, strict=True):
        for question, answer in zip(questions, row, strict=True):
            alone = answering.answer(photograph, question)
            assert alone.text == answer.text
            assert alone.score == pytest.approx(answer.score, abs=1e-5)


def test_the_question_changes_what_is_written(answering):
    photograph = np.zeros((64, 64, 3), "uint8")
    scores = {answering.answer(photograph, q).score for q in ("a dog", "the cat", "red left")}
    assert len(scores) == 3


def test_without_a_question_the_same_model_captions(answering, features):
    x = features(answering)
    inputs = {"features": x, **Beam(3).inputs(answering.steps, groups=3)}
    captions = answering.search(inputs)
    unasked = answering.search({**inputs, "questions": np.zeros((3, 1, 4), "int32")})
    np.testing.assert_array_equal(captions["tokens"], unasked["tokens"])
    np.testing.assert_allclose(captions["log_probs"], unasked["log_probs"], atol=1e-5)


def test_unseen_words_and_endless_questions_are_answered(answering):
    photograph = np.zeros((64, 64, 3), "uint8")
    assert answering.answer(photograph, "Où est le чёрный 狗?").text
    endless = answering.answer(photograph, "red " * 10_000)
    assert endless.text == answering.answer(photograph, "red red red red").text


def test_what_cannot_be_asked_is_said(answering, toy):
    photograph = np.zeros((64, 64, 3), "uint8")
    for empty in ("", "  ", "?"):
        with pytest.raises(ValueError, match="a question has words"):
            answering.answer(photograph, empty)
    with pytest.raises(ValueError, match="only captions"):
        toy().answer(photograph, "a dog")
    with pytest.raises(ValueError, match="questions for 2 photographs, not for 1"):
        answering.answer([photograph], [["a dog"], ["red"]])
    with pytest.raises(ValueError, match="a question has words, not '!'"):
        answering.answer([photograph], [["a dog", "!"]])
