"""Questions made from captions: the very questions, and what must not be asked."""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image

from captioner.data.readers import load_dataset
from captioner.data.records import DatasetError, Example
from recipes.questions import generate
from recipes.questions.__main__ import main
from recipes.questions.generate import make_questions, write_questions
from recipes.questions.parser import gerund, parse

ROOT = Path(__file__).parents[2]
# Textblob reads its lexicon at first use, and leaves the file open.
pytestmark = pytest.mark.filterwarnings(r"ignore:unclosed file .*en-\w+\.txt:ResourceWarning")


def photo(*captions, name="a"):
    return Example(Path(f"{name}.jpg"), name, captions)


@pytest.fixture
def keep_all(monkeypatch):
    """Neither rare nor frequent answers are dropped."""
    monkeypatch.setattr(generate, "MIN_PHOTOS", 1)
    monkeypatch.setattr(generate, "COMMON", 1)


def made(*examples):
    """The questions but yes/no, as kind, question, answer."""
    asked = (question for _, question in make_questions(examples))
    return {(q.kind, q.text.removesuffix(" ?"), q.answer) for q in asked if q.kind != "yes/no"}


def yes_no(examples):
    return [(e, q.text, q.answer) for e, q in make_questions(examples) if q.kind == "yes/no"]


# ------------------------------------------------------------------------------- captions


@pytest.mark.parametrize(
    ("base", "expected"),
    [
        ("run", "running"),
        ("ride", "riding"),
        ("lie", "lying"),
        ("see", "seeing"),
        ("eat", "eating"),
        ("kick", "kicking"),
        ("throw", "throwing"),
        ("play", "playing"),
        ("swim", "swimming"),
    ],
)
def test_gerund(base, expected):
    assert gerund(base) == expected


def clause(text):
    """Subject, then verb, object and places of each action."""
    found = parse(text).clause
    if found is None:
        return None
    actions = [
        (a.verb, a.object and a.object.name, [f"{p} {place.name}" for p, place in a.places])
        for a in found.actions
    ]
    return found.subject.name, [f"{p} {place.name}" for p, place in found.places], actions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "A brown dog jumps over a hurdle .",
            ("brown dog", [], [("jumping", None, ["over hurdle"])]),
        ),
        ("Two boys race.", ("boys", [], [("racing", None, [])])),
        ("The dog bounds through snow", ("dog", [], [("bounding", None, ["through snow"])])),
        (
            "A man in a red shirt is riding a bike down the street .",
            ("man", ["in red shirt"], [("riding", "bike", ["down street"])]),
        ),
        (
            "A boy in black walks and carries a set of skis , looking up .",
            ("boy", [], [("walking", None, []), ("carrying", "skis", []), ("looking", None, [])]),
        ),
        (
            "There is a girl who is sitting next to a snow covered bench .",
            ("girl", [], [("sitting", None, ["next to snow covered bench"])]),
        ),
        # "Dog" may be who runs; a hat and a bat, a dog and a bath: not one object.
        ("A man with a dog running .", ("man", ["with dog"], [])),
        ("A man with a dog is running .", ("man", ["with dog"], [("running", None, [])])),
        ("A man wears a hat and a tie .", ("man", [], [("wearing", None, [])])),
        ("A man gives a dog a bath .", ("man", [], [("giving", None, [])])),
        ("A man dressed in green shorts is sitting .", ("man", [], [("sitting", None, [])])),
        ("A man and a woman are sitting .", None),
        ("A man and jumping dog perform .", None),
        ("Running through a field .", None),
        ("", None),
    ],
)
def test_the_clause_of_a_caption(text, expected):
    assert clause(text) == expected


def test_phrases_of_a_caption():
    phrases = parse("Three small black , white and grey dogs in a man's blue car").phrases
    assert [(p.number, p.noun, p.lemma, p.colors, p.owner) for p in phrases] == [
        (3, "dogs", "dog", ("black", "white", "gray"), ""),
        (None, "man", "man", (), ""),
        (None, "car", "car", ("blue",), "man"),
    ]


# ------------------------------------------------------------------------------- kinds


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        (
            "A child in a pink dress is climbing up a set of stairs in an entry way .",
            {
                ("activity", "what is the child doing", "climbing"),
                ("object", "who is climbing up the stairs", "child"),
                ("color", "what color is the child's dress", "pink"),
                ("place", "where is the child", "stairs"),
            },
        ),
        (
            "Two young dogs run through the tall grass .",
            {
                ("number", "how many young dogs are there", "two"),
                ("activity", "what are the young dogs doing", "running"),
                ("object", "what is running through the tall grass", "dogs"),
                ("place", "where are the young dogs", "grass"),
            },
        ),
        (
            "a man holds a white guitar .",
            {
                ("activity", "what is the man doing", "holding"),
                ("object", "who is holding the white guitar", "man"),
                ("object", "what is the man holding", "guitar"),
                ("color", "what color is the guitar", "white"),
            },
        ),
        (
            "A woman is hugging a little girl .",
            {
                ("activity", "what is the woman doing", "hugging"),
                ("object", "who is hugging the little girl", "woman"),
                ("object", "who is the woman hugging", "girl"),
            },
        ),
        # Nobody learns from "person"; black is not the color of people.
        (
            "A person sits on a bench .",
            {
                ("activity", "what is the person doing", "sitting"),
                ("object", "what is the person sitting on", "bench"),
                ("place", "where is the person", "bench"),
            },
        ),
        ("A black man .", set()),
        # No place: clothes, parts of the body, what a thing is thrown into or stands with.
        (
            "A boy in a cap throws a ball into a pool with his hand .",
            {
                ("activity", "what is the boy doing", "throwing"),
                ("object", "who is throwing the ball", "boy"),
                ("object", "what is the boy throwing", "ball"),
            },
        ),
        ("A man with his hands in the air .", set()),
        # No activity: wearing, having, trying, looking.
        ("A dog has a stick .", set()),
        ("The boy is trying to swim", set()),
        ("A black and white cat .", set()),
        ("The men's red jackets .", {("color", "what color are the men's jackets", "red")}),
    ],
)
def test_the_questions_of_a_caption(keep_all, caption, expected):
    assert made(photo(caption)) == expected


def test_a_question_knows_its_caption(keep_all):
    captions = ("A cat .", "Three boys .", "There are three boys .")
    ((example, question),) = make_questions([photo(*captions)])
    assert example.references == captions
    assert question == generate.Question(
        "how many boys are there ?", "three", "number", captions[1]
    )


# ------------------------------------------------------------------------------- other captions


@pytest.mark.parametrize(
    ("other", "agrees"),
    [
        ("A dog and another dog .", True),
        ("Dogs .", True),
        ("Two puppies .", True),
        ("A cat .", True),
        ("Three dogs .", False),
        ("Three animals .", False),
        ("A dog .", False),
        ("Two dogs and a puppy .", False),
    ],
)
def test_a_number_that_another_caption_contradicts_is_not_asked(keep_all, other, agrees):
    number = ("number", "how many dogs are there", "two")
    assert (number in made(photo("Two dogs .", other))) == agrees


@pytest.mark.parametrize(
    ("other", "agrees"),
    [
        ("A dog .", True),
        ("A black puppy .", True),
        ("A white ball .", True),
        ("A brown dog .", False),
        ("A brown puppy .", False),
        ("A black and white dog .", False),
        ("A black dog and a white dog .", False),
    ],
)
def test_a_color_that_another_caption_contradicts_is_not_asked(keep_all, other, agrees):
    color = ("color", "what color is the dog", "black")
    assert (color in made(photo("A black dog .", other))) == agrees


def test_two_and_others_have_no_number(keep_all):
    assert made(photo("Two dogs beside other dogs .")) == set()


def test_two_of_a_kind_have_no_one_color(keep_all):
    assert made(photo("A dog next to a black dog .")) == set()


def test_most_captions_must_agree(keep_all):
    running, sitting = "A dog is running .", "A dog is sitting ."
    question = "what is the dog doing"
    assert made(photo(running, sitting, running)) == {("activity", question, "running")}
    assert made(photo(running, sitting)) == set()


# ------------------------------------------------------------------------------- yes or no


def park(count=40):
    """Photographs of black dogs, white dogs, boys and women, each with five captions."""
    scenes = [
        ("A black dog runs .", "A dog is running near a tree .", "The dog runs .", "Black puppy ."),
        ("A white dog sits .", "A dog is sitting .", "A white dog .", "A dog sits ."),
        ("A boy is sitting on a bench .", "A boy sits on a bench .", "A child on a bench ."),
        ("A woman runs .", "A woman is running .", "A lady jogs along trees .", "Somebody runs ."),
    ]
    return [photo(*scenes[n % 4], name=f"{n}") for n in range(count)]


@pytest.fixture
def ask_often(monkeypatch):
    monkeypatch.setattr(generate, "MOST_ASKED", 1)


def test_yes_and_no_are_balanced_for_every_question(ask_often):
    answers = Counter((text, answer) for _, text, answer in yes_no(park()))
    texts = {text for text, _ in answers}
    assert {
        "is there a dog ?",
        "is there a boy ?",
        "is there a woman ?",
        "is there a bench ?",
        "is the dog black ?",
        "is the dog white ?",
        "is the dog running ?",
        "is the dog sitting ?",
    } == texts
    for text in texts:
        assert answers[text, "yes"] == answers[text, "no"] >= 10


def test_yes_and_no_are_right(ask_often):
    for example, text, answer in yes_no(park()):
        said = " ".join(example.references).lower()
        *_, word = text.removesuffix(" ?").split()
        stem = {"running": "run", "sitting": "sit"}.get(word, word)
        assert (stem in said) == (answer == "yes"), (said, text)


def test_the_same_question_is_asked_so_often_at_most():
    asked = Counter(text for _, text, answer in yes_no(park(200)) if answer == "yes")
    assert set(asked.values()) == {4}  # 2 % of 200


@pytest.mark.parametrize(
    "mention",
    ["A puppy .", "An animal .", "Two greyhounds .", "A terrier ."],
)
def test_what_a_caption_may_mean_is_not_denied(ask_often, mention):
    others = [photo("A car .", mention, "A car .", name=f"other {n}") for n in range(40)]
    asked = yes_no(park() + others)
    assert any(text == "is there a dog ?" for _, text, _ in asked)
    assert not [(e, text) for e, text, _ in asked if text == "is there a dog ?" and e in others]


def test_colors_and_activities_that_are_close_are_not_denied(ask_often):
    brown = ("A brown dog jogs .", "A brown dog is jogging .", "A dog jogs .")
    others = [photo(*brown, name=f"brown {n}") for n in range(40)]
    tan = [photo("A tan dog sits .", "A dog is sitting .", name=f"tan {n}") for n in range(10)]
    asked = yes_no(park() + others + tan)
    denied = {text for e, text, answer in asked if e in others and answer == "no"}
    assert {"is the dog white ?", "is the dog black ?", "is the dog sitting ?"} <= denied
    assert ("is the dog tan ?", "yes") in {(text, answer) for _, text, answer in asked}
    assert not denied & {"is the dog tan ?", "is the dog running ?"}


def test_what_few_captions_mention_where_it_is_is_not_asked_for(ask_often):
    captions = ("A cat by a tree .", "A cat .", "A cat .", "A cat .", "A tree .")
    examples = [photo(*captions, name=f"cat {n}") for n in range(20)]
    asked = {text for _, text, _ in yes_no(park() + examples)}
    assert "is there a cat ?" in asked
    assert "is there a tree ?" not in asked


def test_one_caption_is_not_enough_to_deny(ask_often):
    examples = [photo(e.references[0], name=e.image_id) for e in park()]
    assert not [text for _, text, _ in yes_no(examples) if text.startswith("is there")]


# ------------------------------------------------------------------------------- choice


def test_rare_answers_are_dropped():
    dogs = [photo("A dog is running .", name=f"dog {n}") for n in range(5)]
    # Four photographs, though eight questions.
    cats = [photo("A cat sleeps .", "A wet cat sleeps .", name=f"cat {n}") for n in range(4)]
    assert made(*dogs, *cats) == {("activity", "what is the dog doing", "running")}


def test_frequent_answers_are_thinned():
    verbs = "sits stands walks jumps swims sleeps eats barks climbs".split()
    runs = [photo("A dog runs .", name=f"run {n}") for n in range(1000)]
    others = [photo(f"A dog {verb} .", name=f"{verb} {n}") for verb in verbs for n in range(20)]
    questions_made = make_questions(runs + others)
    kept = Counter(q.answer for _, q in questions_made if q.kind == "activity")
    # Free up to a tenth, 118; from there on with a probability that falls by e every 236.
    assert 380 <= kept.pop("running") <= 560
    assert set(kept.values()) == {20} and len(kept) == len(verbs)


def test_the_choice_does_not_depend_on_the_order():
    examples = park(200) + [photo("A dog runs .", name=f"run {n}") for n in range(300)]

    def chosen(photos):
        return {(e.image_id, q) for e, q in make_questions(photos) if q.kind != "yes/no"}

    forward, backward = chosen(examples), chosen(examples[::-1])
    assert {(image, q.text, q.answer) for image, q in forward} == {
        (image, q.text, q.answer) for image, q in backward
    }


# ------------------------------------------------------------------------------- files


@pytest.fixture
def data(tmp_path):
    """A data set of captions."""
    root = tmp_path / "data"
    rows = "".join(f'{e.image},"{c}",train\n' for e in park() for c in e.references)
    (root / "Images").mkdir(parents=True)
    (root / "captions.csv").write_text("image,caption,split\n" + rows)
    for example in park():
        Image.new("RGB", (8, 8)).save(root / "Images" / example.image)
    return root


def command(data, output):
    options = ["--dataset", "captions-csv", "--root", str(data), "--split", "train"]
    return [*options, "--output", str(output)]


def test_the_command_writes_what_the_reader_reads(data, tmp_path, capsys):
    output = tmp_path / "made" / "train.jsonl"
    main(command(data, output))
    out, err = capsys.readouterr()
    lines = [json.loads(line) for line in output.read_text().splitlines()]
    counts = Counter(line["kind"] for line in lines)
    assert out.splitlines() == [f"{kind:10}{count:8}" for kind, count in sorted(counts.items())]
    assert err == ""
    assert [line["question_id"] for line in lines] == list(range(1, len(lines) + 1))
    assert lines[0] == {
        "image": "../data/Images/0.jpg",
        "image_id": "0",
        "question": lines[0]["question"],
        "answer": lines[0]["answer"],
        "kind": lines[0]["kind"],
        "caption": lines[0]["caption"],
        "question_id": 1,
    }
    assert lines[0]["caption"] in park()[0].references

    examples = load_dataset("jsonl", output.parent, "train", max_missing=0)
    read = [(e.image_id, e.question, *e.references, e.kind, e.question_id) for e in examples]
    keys = ("image_id", "question", "answer", "kind", "question_id")
    assert read == [tuple(line[key] for key in keys) for line in lines]


@pytest.mark.slow
def test_the_same_captions_make_the_same_bytes(data, tmp_path):
    contents = []
    for seed in ("1", "2"):
        output = tmp_path / f"{seed}" / "train.jsonl"
        # Strings hash differently in the two.
        env = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
        run = [sys.executable, "-m", "recipes.questions", *command(data, output)]
        subprocess.run(run, env=env, check=True, capture_output=True, timeout=60)
        contents.append(output.read_bytes())
    assert contents[0] == contents[1] != b""


def test_questions_are_not_made_from_answers():
    example = Example(Path("a.jpg"), "a", ("dog",), question="what is it ?")
    with pytest.raises(DatasetError, match=r"a\.jpg: is a question; give captions"):
        make_questions([example])


def test_a_failure_leaves_no_file(tmp_path):
    example = Example(Path("a.jpg"), "a", ("dog",), question="what is it ?")
    with pytest.raises(DatasetError):
        write_questions([example], tmp_path / "train.jsonl")
    assert not list(tmp_path.iterdir())


def test_without_textblob_the_command_says_what_to_install(data, tmp_path, monkeypatch):
    monkeypatch.delitem(sys.modules, "recipes.questions.generate")
    monkeypatch.delitem(sys.modules, "recipes.questions.parser")
    for name in [name for name in sys.modules if name.split(".")[0] == "textblob"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [NoTextblob, *sys.meta_path])
    message = r"^questions: needs textblob; pip install 'captioner\[questions\]'$"
    with pytest.raises(SystemExit, match=message):
        main(command(data, tmp_path / "train.jsonl"))


class NoTextblob:
    """A finder of modules that finds textblob missing."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        if name.split(".")[0] == "textblob":
            raise ModuleNotFoundError("No module named 'textblob'", name="textblob")
