"""Questions about short stories, in the manner of bAbI (Weston et al., 2016).

python -m examples.stories [alignment.png]

Persons walk from place to place, take things along and put them down; asked is where somebody or
something is. The decoder reads the encoded story and is conditioned on the encoded question, as
the captioner is that answers questions about a photograph. Drawn is which words of a story the
answer looked at.
"""

from collections.abc import Sequence

import keras
import numpy as np

from captioner.data.tokenizer import tokenize
from captioner.data.vocabulary import Vocabulary
from examples import SEED, learn, save
from examples.alignment import alignment
from examples.translator import Translator, TranslatorConfig

PERSONS = ("Mary", "John", "Sandra", "Daniel")
PLACES = ("kitchen", "garden", "bathroom", "hallway", "office")
THINGS = ("ball", "book", "apple")
TRAIN, UNSEEN = 15_000, 1_000

Story = tuple[str, str, str]  # the story, a question about it, the answer


def story(rng: np.random.Generator, sentences: int) -> Story:
    """A story, a question about it, and the answer."""
    place: dict[str, str] = {}  # of persons and of things put down
    holder: dict[str, str] = {}  # of things carried
    told: list[str] = []
    while len(told) < sentences:
        person = rng.choice(PERSONS)
        carried = [thing for thing in THINGS if holder.get(thing) == person]
        # A thing never seen before may lie anywhere.
        lying = [
            thing
            for thing in THINGS
            if thing not in holder and place.get(thing) in (None, place.get(person))
        ]
        action = rng.choice(["go", "take", "drop"])
        if action == "go" or person not in place:
            place[person] = rng.choice([to for to in PLACES if to != place.get(person)])
            told.append(f"{person} went to the {place[person]}.")
        elif action == "take" and lying:
            thing = rng.choice(lying)
            holder[thing] = person
            told.append(f"{person} took the {thing}.")
        elif action == "drop" and carried:
            thing = rng.choice(carried)
            del holder[thing]
            place[thing] = place[person]
            told.append(f"{person} dropped the {thing}.")
    place.update({thing: place[person] for thing, person in holder.items()})
    things = sorted(place.keys() & THINGS)
    if things and rng.random() < 0.7:
        asked = rng.choice(things)
        question = f"Where is the {asked}?"
    else:
        asked = rng.choice(sorted(place.keys() - THINGS))
        question = f"Where is {asked}?"
    return " ".join(told), question, str(place[asked])


def stories(longest: int = 5) -> tuple[list[Story], list[Story]]:
    """Stories to learn from and others, each a list of (story, question, answer)."""
    rng = np.random.default_rng(SEED)
    different: set[Story] = set()
    while len(different) < TRAIN + UNSEEN:
        different.add(story(rng, int(rng.integers(1, longest + 1))))
    mixed = sorted(different)
    rng.shuffle(mixed)
    return mixed[UNSEEN:], mixed[:UNSEEN]


def reader(train: Sequence[Story], epochs: int) -> Translator:
    """A model that has learned to answer."""
    keras.utils.set_random_seed(SEED)
    texts, questions, answers = zip(*train, strict=True)
    vocabulary = Vocabulary.from_sentences([*texts, *questions], min_count=1)
    # Dot products find a word of the question in the story at once; additive attention must learn
    # for every pair of words anew that they match.
    model = Translator(
        vocabulary,
        TranslatorConfig(
            embedding_size=32,
            units=64,
            attention="dot",
            max_source_words=32,
            max_words=1,
            question_units=64,
        ),
    )
    x, y = model.batch_of(texts, answers, questions)
    return learn(model, x, y, epochs=epochs, learning_rate=0.004)


def right(model: Translator, examples: Sequence[Story]) -> np.ndarray:
    """`bool[N]`: whether each answer is right, by greedy search."""
    texts, questions, answers = zip(*examples, strict=True)
    found = model.translate(texts, questions, beam_width=1)
    return np.array([a.text == answer for a, answer in zip(found, answers, strict=True)])


def main() -> None:
    """Learn, and print what was measured."""
    train, unseen = stories()
    model = reader(train, epochs=15)
    correct = right(model, unseen)
    of_thing = np.array([" the " in question for _, question, _ in unseen])
    for name, chosen in {"persons": ~of_thing, "things": of_thing}.items():
        print(f"{correct[chosen].mean():.1%} of {chosen.sum()} questions about {name} answered")
    print(f"{correct.mean():.1%} of {len(unseen)} questions about unseen stories answered")
    text, question, answer = next(example for example in unseen if " the " in example[1])
    save(alignment(tokenize(text), model.translate([text], [question])[0].words))


if __name__ == "__main__":
    main()
