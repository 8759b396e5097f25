"""A shallow parser of captions: noun phrases, and a clause of subject, actions, objects and places.

It skips the parts that it cannot parse, because another caption of the photograph may be easier.
"""

import re
from dataclasses import dataclass, field, replace

from textblob.en import tag
from textblob.en.inflect import singularize

from captioner.data.word_lists import COLORS, NUMBERS
from recipes.questions.words import ANIMALS, BODY, CLOTHES, MEASURES, PEOPLE

_CLOSED_CLASSES = {
    "D": "a an the his her its their some another this these both all several many",
    "S": "'s",
    "B": "is are",
    "C": "and or &",
    ",": ",",
    "W": "who which that",
    "R": "indoors midair onstage outdoors together very",
    "X": "as because but if like than though when where while whilst",
}
_CODES = {word: code for code, words in _CLOSED_CLASSES.items() for word in words.split()}
# Words that have another part of speech in captions than in the tagger's lexicon.
_NOUNS = frozenset("bars karate leaves set sled toys tracks".split())
_SECOND_NOUNS = frozenset("bear lift match ride set sled stand stick".split())  # "a ski lift"
_ADVERBS = {("next", "to"), ("close", "to"), ("face", "down"), ("rock", "climbing")}
_NOUNS_IN_ING = frozenset(
    "bathing building ceiling clothing evening lightning morning nothing painting railing "
    "something spring string swing wedding".split()
)
_VERBS = frozenset(
    "approach attempt balance bend bite blow chase chew crash crawl dance dribble drink drive flow "
    "frolic gesture grin hide hike hit hug jump kiss leap move paddle peek point race recline ride "
    "roll slide smile soar speed sprawl spray squirt stare stretch surf swing talk toss touch "
    "watch yawn".split()
)
# "A smiling girl", "two small dogs", "black , white and brown cats".
_PHRASE = re.compile(r"(?:(?:[DS]#?|#)(?:A(?:,?C?A)*)?G?|A(?:,?C?A)*)?N+")
# In the codes of chunks: "down next to a rock", "dressed in red and black".
_PLACE = re.compile(r"R*(?P<worn>E?)R*P+(?:(?P<phrase>p)(?!p)|A(?:CA)*)")
# "Who is happily playing", "and holds a ball"; not "holds a ball and a bat", "gives a dog a bath".
_ACTION = re.compile(r"P*,?[WC]?B?R*(?P<verb>[GV])(?P<object>p(?!,?C?p))?")
_TOKEN = re.compile(r"'s\b|[a-z0-9]+(?:-[a-z0-9]+)*|[^\sa-z0-9]")

Tagged = tuple[str, str]  # a word and its part of speech as the Penn Treebank has it


@dataclass(frozen=True)
class NounPhrase:
    """A noun phrase: its determiner, its number, then its name, which ends with the noun."""

    determiner: str  # "" for none, "'s" after an owner
    number: int | None
    name: str
    noun: str  # as written
    lemma: str  # in the singular
    plural: bool
    colors: tuple[str, ...] = ()
    owner: str = ""  # "man", of "a man in a red shirt"

    @property
    def definite(self) -> str:
        """Its form in a question: "the dog" for "a dog", but "soccer" for "soccer"."""
        if self.determiner in ("", "his", "her", "its", "their") and not self.number:
            return f"{self.determiner} {self.name}".strip()
        return f"the {self.name}"


@dataclass
class Action:
    """An action of a subject: "throwing", a ball, "into" a pool."""

    verb: str  # its -ing form
    object: NounPhrase | None = None
    places: list[tuple[str, NounPhrase]] = field(default_factory=list)  # each with its preposition


@dataclass
class Clause:
    """A subject with its places and actions."""

    subject: NounPhrase
    places: list[tuple[str, NounPhrase]] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)


@dataclass(frozen=True)
class ParsedCaption:
    """A parsed caption."""

    text: str
    mentions: frozenset[str]  # its words in all their forms
    phrases: tuple[NounPhrase, ...]
    clause: Clause | None


@dataclass(frozen=True)
class Chunk:
    """A noun phrase with the code p, or another word with a code of `_codes`."""

    code: str
    word: str = ""
    phrase: NounPhrase | None = None

    @property
    def noun_phrase(self) -> NounPhrase:
        """The phrase of a chunk with the code p."""
        assert self.phrase is not None
        return self.phrase


def parse(text: str) -> ParsedCaption:
    """Parses a caption."""
    words = _TOKEN.findall(text.lower())
    chunks = _chunks(tag(" ".join(words), tokenize=False) if words else [])
    return ParsedCaption(
        text=text,
        mentions=frozenset(form for word in words for form in _forms(word)),
        phrases=tuple(chunk.phrase for chunk in chunks if chunk.phrase),
        clause=_clause(chunks),
    )


def gerund(base: str) -> str:
    """The -ing form of a verb: "run" -> "running"."""
    if base.endswith("ie"):
        return base[:-2] + "ying"
    if re.search("[^eoy]e$", base):
        return base[:-1] + "ing"
    doubled = re.fullmatch("[^aeiou]*[aeiou][^aeiouwxy]", base)
    return base + (base[-1] if doubled else "") + "ing"


def _base(verb: str) -> str:
    """The verb of "runs", "catches", "flies"."""
    if verb == "has":
        return "have"
    if re.fullmatch(".+ies", verb):
        return verb[:-3] + "y" if len(verb) > 4 else verb[:-1]
    return re.sub("(?<=ss|zz|ch|sh|.x|.o)es$|s$", "", verb)


def _forms(word: str) -> tuple[str, ...]:
    return word, _singular(word), gerund(word), gerund(_base(word))


def _lemma(tagged: Tagged) -> str:
    return _singular(tagged[0]) if _is_plural(tagged) else tagged[0]


def _is_plural(tagged: Tagged) -> bool:
    # The tagger takes unknown words for singulars.
    return tagged[1] in ("NNS", "NNPS") or re.search("[^aius']s$", tagged[0]) is not None


def _singular(noun: str) -> str:
    return noun[:-1] if noun in ("canoes", "toes") else singularize(noun)


def _codes(tagged: list[Tagged]) -> str:
    """A letter for the role of each word.

    D determiner, S 's, # number, A adjective, N noun, P preposition or particle, B is or are,
    V verb, G its -ing form, E participle, R adverb, W relative pronoun, C and; X ends a clause.
    """
    codes = ""
    for i, (word, kind) in enumerate(tagged):
        last = codes[-1:] or "X"
        following, next_kind = tagged[i + 1] if i + 1 < len(tagged) else ("", ".")
        if word in _CODES:
            code = _CODES[word]
        elif word in NUMBERS or kind == "CD":
            code = "#"
        elif (word, following) in _ADVERBS:
            code = "R"
        elif kind in ("IN", "TO") or word in ("down", "away"):
            code = "X" if word == "to" and next_kind.startswith("VB") else "P"
        elif word in COLORS:
            code = "A"
        elif re.fullmatch("..+ing", word) and word not in _NOUNS_IN_ING:
            # "In swimming trunks", "wearing running shoes", "a man and jumping dogs".
            first = last == "C" and not {"G", "V"} & set(codes)
            adjective = (last in "GVPA" or first) and next_kind.startswith("NN")
            code = "A" if adjective else "G"
        elif _is_verb(tagged, i, codes):
            code = "V"
        elif kind in ("VBN", "VBD") and word not in _NOUNS:
            code = "E"
            if last in "DS#ARN" and next_kind[:2] in ("NN", "JJ"):
                # "A crowded street", "a brightly colored toy", "a snow covered hill".
                codes = codes[:-1] + "A" if last in "RN" else codes
                code = "A"
        elif kind.startswith("JJ"):
            # "A female in red": no noun follows.
            alone = last in "DS#A" and next_kind in ("IN", "TO", ".", "VBZ", "VBP", "VBG", "WP")
            code = "N" if alone or word == "t-shirt" else "A"
        elif kind.startswith("NN") or word in _NOUNS:
            # "A man watches a dog jump"
            after_actor = last == "N" and _lemma(tagged[i - 1]) in PEOPLE | ANIMALS
            code = "X" if word in _VERBS and after_actor else "N"
        elif kind.startswith("VB"):
            # In the lexicon, "run" is only a verb.
            code = "N" if last in "DS#AP" or (last == "N" and word in _SECOND_NOUNS) else "X"
        else:
            code = "R" if kind.startswith("RB") else "X"
        codes += code
    return codes


def _is_verb(tagged: list[Tagged], i: int, codes: str) -> bool:
    """Whether a word is the verb of the words before it: "the dog jumps", "dogs jump"."""
    word, kind = tagged[i]
    if word in _NOUNS or not i:
        return False
    if codes.endswith("W") or (codes.endswith("C") and "V" in codes):
        return kind.startswith("VB") or _base(word) in _VERBS
    if tagged[i - 1][0] in COLORS and re.search("[PGCE]A$", codes):
        # "A boy in black walks", but "in black jeans", "with black spots".
        likely = tagged[i - 2][0] == "in" and _lemma(tagged[i]) not in CLOTHES
        return kind.startswith("VB") or (kind == "NNS" and (likely or _base(word) in _VERBS))
    if not codes.endswith(("N", "NR")):
        return False
    if kind == "VBZ" or (kind == "NNS" and _base(word) in _VERBS):
        return True
    plural = codes.endswith("N") and _is_plural(tagged[i - 1])
    if kind in ("VB", "VBP") or word in _VERBS:
        return plural
    if codes.endswith("N") and _lemma(tagged[i - 1]) in PEOPLE | ANIMALS:
        # "The dog bounds", "two boys tussle in"; not "the dog owners", "two boys tennis shoes".
        if _lemma(tagged[i]) in PEOPLE | ANIMALS | CLOTHES | BODY:
            return False
        next_kind = tagged[i + 1][1] if i + 1 < len(tagged) else "."
        return kind == "NNS" if not plural else kind == "NN" and not next_kind.startswith("NN")
    return False


def _chunks(tagged: list[Tagged]) -> list[Chunk]:
    codes = _codes(tagged)
    chunks: list[Chunk] = []
    i = 0
    while i < len(tagged):
        if match := _PHRASE.match(codes, i):
            phrase = _phrase(tagged[i : match.end()], codes[i : match.end()])
            _append(chunks, phrase)
            i = match.end()
        else:
            chunks.append(Chunk(codes[i], tagged[i][0]))
            i += 1
    return chunks


def _phrase(tagged: list[Tagged], codes: str) -> NounPhrase:
    words = [word for word, _ in tagged]
    start = len(codes) - len(codes.lstrip("DS#"))
    number = words[start - 1] if "#" in codes else ""
    colors = (
        word.replace("grey", "gray")
        for word, (_, kind) in zip(words, tagged[1:], strict=False)
        if word in COLORS and kind not in ("VBN", "VBD")  # "a black spotted dog"
    )
    noun = _lemma(tagged[-1])
    return NounPhrase(
        determiner=words[0] if codes[0] in "DS" else "",
        number=NUMBERS.index(number) if number in NUMBERS else None,
        name=" ".join(words[start:]),
        noun=words[-1],
        lemma=noun,
        plural=_is_plural(tagged[-1]),
        colors=tuple(colors),
    )


def _append(chunks: list[Chunk], phrase: NounPhrase) -> None:
    """Adds a phrase, and joins a measure or an owner before it."""
    if len(chunks) > 1 and (before := chunks[-2].phrase):
        if chunks[-1].word == "of" and before.lemma in MEASURES:
            del chunks[-2:]
            determiner = phrase.determiner or "some"
            chunks.append(Chunk("p", phrase=replace(phrase, determiner=determiner)))
            return
        if chunks[-1].word in ("in", "with", "wearing") and before.lemma in PEOPLE:
            phrase = replace(phrase, owner=before.noun)
    elif chunks and chunks[-1].phrase and phrase.determiner == "'s":
        phrase = replace(phrase, owner=chunks[-1].phrase.noun)
    chunks.append(Chunk("p", phrase=phrase))


def _clause(chunks: list[Chunk]) -> Clause | None:
    """The clause at the start of a caption, as far as it can be parsed."""
    codes = "".join(chunk.code for chunk in chunks)
    start = 2 if codes.startswith("XB") else 0  # "There is"
    if not re.match("p(?!,?C?p)", codes[start:]):
        return None
    clause = Clause(chunks[start].noun_phrase)
    end = _read_places(chunks, codes, start + 1, clause.places)
    while match := _ACTION.match(codes, end):
        finite = "B" in match[0] or match["verb"] == "V"
        named = (chunk.phrase.lemma for chunk in chunks[start + 1 : end] if chunk.phrase)
        if (clause.actions or not finite) and not (PEOPLE | ANIMALS).isdisjoint(named):
            break  # The subject may be another one.
        verb = chunks[match.start("verb")].word
        action = Action(verb if match["verb"] == "G" else gerund(_base(verb)))
        if match["object"]:
            action.object = chunks[match.start("object")].phrase
        clause.actions.append(action)
        end = _read_places(chunks, codes, match.end(), action.places)
    return clause


def _read_places(
    chunks: list[Chunk], codes: str, start: int, places: list[tuple[str, NounPhrase]]
) -> int:
    """Adds the places that follow; returns the index after them."""
    while match := _PLACE.match(codes, start):
        words = (
            c.word
            for c in chunks[start : match.end()]
            if c.code == "P" or c.word in ("next", "close")
        )
        preposition = " ".join(words)
        if match["phrase"] and not match["worn"] and preposition != "of":
            places.append((preposition, chunks[match.start("phrase")].noun_phrase))
        start = match.end()
    return start
