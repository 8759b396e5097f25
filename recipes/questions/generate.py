"""Questions made from captions, as COCO-QA's were (Ren, Kiros and Zemel, 2015, appendix A).

A question asks for one word of a caption. The other captions of the photograph confirm the answer.
Questions about things that no caption mentions have the answer no.
"""

import hashlib
import json
import math
import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from captioner.data.records import DatasetError, Example
from captioner.data.word_lists import NUMBERS
from recipes.questions.parser import Action, Clause, NounPhrase, ParsedCaption, parse
from recipes.questions.words import (
    ANIMALS,
    ANYBODY,
    APART,
    BODY,
    CLOTHES,
    MEASURES,
    NO_ACTIVITIES,
    NO_PLACES,
    NO_THINGS,
    NO_TRANSITIVES,
    PEOPLE,
    VAGUE,
    mode,
    related,
)

# Choices depend only on a hash of this and of the candidates, so that they are reproducible.
SEED = "questions 1"
# Answers of fewer photographs are dropped.
MIN_PHOTOS = 5
# All questions with an answer are kept up to this share of their kind, or up to the share that all
# answers would have if they were equally frequent. Beyond it, fewer and fewer are kept.
COMMON = 0.03
# "Is there a tree ?" is not asked: most captions do not mention the trees of their photograph, so a
# caption without trees does not mean no. If one caption mentions a thing, more than this share of
# the other captions must mention it too.
MIN_AGREEMENT = 0.5
# The greatest share of the photographs with the same question and the answer yes.
MOST_ASKED = 0.02

ACTORS = PEOPLE | ANIMALS
NO_SUBJECTS = VAGUE | MEASURES | BODY | CLOTHES
NO_OBJECTS = VAGUE | MEASURES | BODY | ANYBODY
NOT_THERE = VAGUE | BODY | CLOTHES | ACTORS | NO_PLACES | (MEASURES - {"field"})
PLACE_PREPOSITIONS = frozenset("in on inside along across up down through into onto".split())
OBJECT_PREPOSITIONS = frozenset("on over against".split())


@dataclass(frozen=True)
class Question:
    """A question with its one-word answer, and the caption of the answer."""

    text: str
    answer: str
    kind: str  # object, number, color, place, activity, yes/no
    caption: str


@dataclass(frozen=True, eq=False)
class Scene:
    """A photograph and its parsed captions."""

    example: Example
    captions: tuple[ParsedCaption, ...]
    phrases: tuple[NounPhrase, ...]  # of all captions
    mentions: frozenset[str]

    @classmethod
    def of(cls, example: Example) -> "Scene":
        if example.question is not None:
            raise DatasetError(f"{example.image}: is a question; give captions")
        captions = tuple(map(parse, example.references))
        return cls(
            example,
            captions,
            tuple(phrase for caption in captions for phrase in caption.phrases),
            frozenset().union(*(caption.mentions for caption in captions)),
        )

    def count(self, words: frozenset[str]) -> int:
        """The number of captions that mention any of the words."""
        return sum(not words.isdisjoint(caption.mentions) for caption in self.captions)


Asked = tuple[Scene, Question]


def write_questions(examples: Iterable[Example], path: Path) -> Counter[str]:
    """Writes questions for the reader of JSON lines; returns the number of each kind."""
    asked = make_questions(examples)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for number, (example, question) in enumerate(asked, start=1):
            entry = {
                "image": Path(os.path.relpath(example.image, path.parent)).as_posix(),
                "image_id": example.image_id,
                "question": question.text,
                "answer": question.answer,
                "kind": question.kind,
                "caption": question.caption,
                "question_id": number,
            }
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
    return Counter(question.kind for _, question in asked)


def make_questions(examples: Iterable[Example]) -> list[tuple[Example, Question]]:
    """Makes the questions about each photograph, in the order of the photographs."""
    scenes = [Scene.of(example) for example in examples]
    asked = [(scene, question) for scene in scenes for question in _open_questions(scene)]
    questions = defaultdict(list)
    for scene, question in chain(_choose(asked), _yes_no_questions(scenes)):
        questions[scene].append(question)
    return [(scene.example, question) for scene in scenes for question in questions[scene]]


def _open_questions(scene: Scene) -> Iterator[Question]:
    """The questions of all kinds but yes/no. If captions differ, the majority decides."""
    found: dict[str, list[Question]] = defaultdict(list)
    for caption in scene.captions:
        about_clause = _ask_about_clause(caption.clause) if caption.clause else ()
        for kind, text, answer in chain(_ask_about_phrases(caption, scene), about_clause):
            found[text].append(Question(f"{text} ?", answer, kind, caption.text))
    for same in found.values():
        answer, votes = Counter(question.answer for question in same).most_common(1)[0]
        if votes > len(same) / 2:
            yield next(question for question in same if question.answer == answer)


Draft = tuple[str, str, str]  # kind, question, answer


def _ask_about_phrases(caption: ParsedCaption, scene: Scene) -> Iterator[Draft]:
    for phrase in caption.phrases:
        if phrase.number is not None and _is_number_agreed(phrase, caption, scene):
            yield "number", f"how many {phrase.name} are there", NUMBERS[phrase.number]
        if _is_color_agreed(phrase, caption, scene):
            owns = phrase.determiner == "'s" or phrase.lemma in CLOTHES | BODY
            apostrophe = "'" if phrase.owner.endswith("s") else "'s"
            owner = f"{phrase.owner}{apostrophe} " if phrase.owner and owns else ""
            yield "color", f"what color {_be(phrase)} the {owner}{phrase.noun}", phrase.colors[0]


def _is_number_agreed(phrase: NounPhrase, caption: ParsedCaption, scene: Scene) -> bool:
    """Whether all captions with a number of these things have the same number."""
    if phrase.number in (None, 1) or not phrase.plural or phrase.lemma in NO_SUBJECTS:
        return False
    words = related(phrase.lemma)
    alike = [[p for p in other.phrases if p.lemma in words] for other in scene.captions]
    return sum(p.lemma in words for p in caption.phrases) == 1 and all(
        _count(phrases) in (None, phrase.number) for phrases in alike
    )


def _count(phrases: list[NounPhrase]) -> int | None:
    """The number of things: 3 for "two men" and "a boy", None for "men"."""
    if not phrases or any(phrase.plural and phrase.number is None for phrase in phrases):
        return None
    return sum(phrase.number or 1 for phrase in phrases)


def _is_color_agreed(phrase: NounPhrase, caption: ParsedCaption, scene: Scene) -> bool:
    """Whether it has one color, and no related thing has another color."""
    # "Black" and "white" people do not have these colors.
    if len(phrase.colors) != 1 or phrase.lemma in PEOPLE | VAGUE | MEASURES:
        return False
    words = related(phrase.lemma)
    return sum(other.lemma == phrase.lemma for other in caption.phrases) == 1 and all(
        other.colors in ((), phrase.colors) for other in scene.phrases if other.lemma in words
    )


def _ask_about_clause(clause: Clause) -> Iterator[Draft]:
    subject = clause.subject
    if subject.lemma in NO_SUBJECTS:
        return
    if place := _place(clause):
        yield "place", f"where {_be(subject)} the {subject.name}", place.noun
    if subject.lemma not in ACTORS:
        return
    verbs = (action.verb for action in clause.actions if action.verb not in NO_ACTIVITIES)
    if verb := next(verbs, None):
        yield "activity", f"what {_be(subject)} the {subject.name} doing", verb
    for action in clause.actions:
        yield from _ask_about_action(subject, action)


def _place(clause: Clause) -> NounPhrase | None:
    found = [clause.places]
    for action in clause.actions:
        if action.verb not in APART and not (action.object and action.object.lemma in ACTORS):
            found.append(action.places)
    for preposition, place in chain(*found):
        if preposition == "with":  # "With his hands in the air"
            return None
        if preposition.split()[-1] in PLACE_PREPOSITIONS and place.lemma not in NOT_THERE:
            return place
    return None


def _ask_about_action(subject: NounPhrase, action: Action) -> Iterator[Draft]:
    preposition, thing = "", action.object
    if thing is None and action.places:
        preposition, thing = action.places[0]
    if thing is None or thing.lemma in VAGUE | MEASURES or action.verb in NO_TRANSITIVES:
        return
    verb = f"{action.verb} {preposition}".strip()
    if subject.lemma not in ANYBODY:
        yield "object", f"{_pronoun(subject)} is {verb} {thing.definite}", subject.noun
    if thing.lemma not in NO_OBJECTS and preposition in ("", *OBJECT_PREPOSITIONS):
        text = f"{_pronoun(thing)} {_be(subject)} the {subject.name} {verb}"
        yield "object", text, thing.noun


def _be(phrase: NounPhrase) -> str:
    return "are" if phrase.plural else "is"


def _pronoun(phrase: NounPhrase) -> str:
    return "who" if phrase.lemma in PEOPLE else "what"


def _choose(asked: list[Asked]) -> Iterator[Asked]:
    """Drops rare answers, and a part of the questions with frequent answers."""
    scenes = defaultdict(set)
    for scene, question in asked:
        scenes[question.kind, question.answer].add(scene)
    asked = [(p, q) for p, q in asked if len(scenes[q.kind, q.answer]) >= MIN_PHOTOS]
    answers = Counter(kind for kind, answer in {(q.kind, q.answer) for _, q in asked})
    totals = Counter(question.kind for _, question in asked)
    kept: Counter[tuple[str, str]] = Counter()
    for scene, question in _shuffled(asked):
        key = question.kind, question.answer
        free = max(COMMON, 1 / answers[question.kind]) * totals[question.kind]
        excess = max(0.0, kept[key] - free)
        if _draw("keep", scene, question.text) < math.exp(-excess / (2 * free)):
            kept[key] += 1
            yield scene, question


def _draw(purpose: str, scene: Scene, text: str) -> float:
    """A number in [0, 1) that looks random."""
    key = "\n".join((SEED, purpose, str(scene.example.image_id), text))
    return int.from_bytes(hashlib.sha256(key.encode()).digest()[:6]) / 2**48


def _shuffled(asked: Iterable[Asked]) -> list[Asked]:
    return sorted(asked, key=lambda pair: _draw("shuffle", pair[0], pair[1].text))


Evidence = dict[Scene, str]  # with the caption as evidence


def _yes_no_questions(scenes: list[Scene]) -> Iterator[Asked]:
    """As many with the answer yes as no for each question, so that its words do not reveal it."""
    most = math.ceil(MOST_ASKED * len(scenes))
    claims = chain(_is_there(scenes), _is_colored(scenes), _is_doing(scenes))
    for text, yes, no in claims:
        count = min(len(yes), len(no), most)
        for answer, evidence in (("yes", yes), ("no", no)):
            asked = [
                (scene, Question(f"{text} ?", answer, "yes/no", said))
                for scene, said in evidence.items()
            ]
            yield from _shuffled(asked)[:count]


Claim = tuple[str, Evidence, Evidence]  # the question, the scenes with yes, those with no


def _is_there(scenes: list[Scene]) -> Iterator[Claim]:
    """Claims like "is there a dog"."""
    seen: dict[str, Evidence] = defaultdict(dict)
    for scene, caption, phrase in _phrases(scenes):
        if phrase.determiner in ("a", "an") and phrase.lemma not in VAGUE | MEASURES | NO_THINGS:
            if scene.count(frozenset((phrase.lemma,))) > 1:
                seen[phrase.lemma].setdefault(scene, caption.text)
    for noun, yes in seen.items():
        if len(yes) >= MIN_PHOTOS and _is_usually_mentioned(noun, scenes):
            excluded = related(noun)
            no = {p: p.captions[0].text for p in scenes if excluded.isdisjoint(p.mentions)}
            article = "an" if re.match("[aeio]|u(?!ni)", noun) else "a"
            yield f"is there {article} {noun}", yes, no


def _is_usually_mentioned(noun: str, scenes: list[Scene]) -> bool:
    """Whether most captions of a scene mention it, or a related thing, if one caption does."""
    words = related(noun)
    mentioned = [scene for scene in scenes if noun in scene.mentions]
    others = sum(scene.count(words) - 1 for scene in mentioned)
    return others > MIN_AGREEMENT * sum(len(scene.captions) - 1 for scene in mentioned)


def _is_colored(scenes: list[Scene]) -> Iterator[Claim]:
    """Claims like "is the dog black"."""
    seen: dict[str, dict[Scene, tuple[str, str]]] = defaultdict(dict)
    for scene, caption, phrase in _phrases(scenes):
        if _is_color_agreed(phrase, caption, scene):
            thing = f"{_be(phrase)} the {phrase.noun}"
            seen[thing].setdefault(scene, (phrase.colors[0], caption.text))
    return _claims(seen, related)


def _is_doing(scenes: list[Scene]) -> Iterator[Claim]:
    """Claims like "is the boy climbing"."""
    seen: dict[str, dict[Scene, tuple[str, str]]] = defaultdict(dict)
    clauses = ((scene, c.text, c.clause) for scene in scenes for c in scene.captions if c.clause)
    for scene, said, clause in clauses:
        who = f"{_be(clause.subject)} the {clause.subject.noun}"
        for verb in (action.verb for action in clause.actions):
            # Another caption must confirm it, with this or a related word.
            if clause.subject.lemma in ACTORS - NO_SUBJECTS and scene.count(mode(verb)) > 1:
                seen[who].setdefault(scene, (verb, said))
    return _claims(seen, mode)


def _phrases(scenes: list[Scene]) -> Iterator[tuple[Scene, ParsedCaption, NounPhrase]]:
    for scene in scenes:
        for caption in scene.captions:
            for phrase in caption.phrases:
                yield scene, caption, phrase


def _claims(
    seen: dict[str, dict[Scene, tuple[str, str]]], alike: Callable[[str], frozenset[str]]
) -> Iterator[Claim]:
    """A claim for each thing and each word that captions use for it."""
    for thing, found in seen.items():
        for word in sorted({word for word, _ in found.values()}):
            excluded = alike(word)
            yes = {scene: said for scene, (is_it, said) in found.items() if is_it == word}
            no = {p: said for p, (_, said) in found.items() if excluded.isdisjoint(p.mentions)}
            yield f"{thing} {word}", yes, no
