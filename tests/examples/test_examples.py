"""The parts of the examples that need no training."""

import numpy as np
import pytest

from examples import addition, characters, gradients, numbers, stories


def test_numbers_are_written_in_words_and_digits():
    assert numbers.english(2021) == "two thousand and twenty one"
    assert numbers.french(2_000_291) == "deux millions deux cent quatre vingt onze"
    assert numbers.digits(407) == "4 0 7"


def test_no_number_is_both_learned_and_scored():
    train, unseen = numbers.numbers()
    assert len(unseen) == 1000 and not set(train) & set(unseen)
    assert max(train) < 10_000_000 and {len(str(n)) for n in unseen} == {3, 4, 5, 6, 7}


def test_the_answer_to_a_story_can_be_told_from_it():
    rng = np.random.default_rng(0)
    kinds = set()
    for _ in range(300):
        text, question, answer = stories.story(rng, 6)
        place, carrier = {}, {}
        for sentence in text.rstrip(".").split(". "):
            person, action, *_, last = sentence.split()
            if action == "went":
                place[person] = last
            elif action == "took":
                assert place.get(last, place[person]) == place[person]
                carrier[last] = person
            else:
                assert carrier.pop(last) == person
            place.update({thing: place[who] for thing, who in carrier.items()})
        asked = question.rstrip("?").split()[-1]
        kinds.add(asked in stories.THINGS)
        assert place[asked] == answer
    assert kinds == {True, False}


@pytest.mark.parametrize("carry_through", [False, True])
def test_sums_are_right(carry_through):
    x, y = addition.sums(50, 10, np.random.default_rng(0), carry_through)
    powers = 2 ** np.arange(11)
    a, b = (x[..., i] @ powers for i in range(2))
    np.testing.assert_array_equal(a + b, y[..., 0] @ powers)
    assert (a + b == 2**10).all() == carry_through


def test_gradients_vanish_explode_and_survive():
    norms = {name: gradients.gradient_norms(cell) for name, cell in gradients.cells().items()}
    first = {name: row[0] / row[-1] for name, row in norms.items()}
    assert first["sigmoid"] < 1e-20 and first["tanh"] < 1e-3
    assert 0.1 < first["ReLU, identity (Le et al., 2015)"] < 10
    assert first["ReLU, 1.1 x identity"] > 1e3
    assert first["LSTM"] < 1e-3 < first["LSTM, forget gates open"]
    assert gradients.draw(norms).axes[0].get_yscale() == "log"


def test_the_adding_problem_adds_the_two_marked_numbers():
    x, y = gradients.adding_problem(20)
    assert (x[..., 1].sum(1) == 2).all()
    np.testing.assert_allclose(y, [row[row[:, 1] == 1, 0].sum() for row in x], rtol=1e-6)


def test_the_text_of_the_language_model_is_long_enough():
    text = characters.text()
    assert len(text) > characters.TRAIN + characters.UNSEEN
