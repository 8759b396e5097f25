"""After the search the page does what Python does. Node.js runs its modules; no model runs."""

import itertools
import json
import random
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from captioner import presets
from captioner.data.vocabulary import END, PAD, SPECIAL, Vocabulary
from captioner.export import web
from captioner.generation import BEAM_WIDTH, prose, reranking
from captioner.generation.captions import caption_of, concepts_of
from captioner.generation.confidence import FEATURES, Calibration
from captioner.generation.results import OUTPUTS

REGIONS, CHANNELS, STEPS, CONCEPTS = 4, 6, 9, 8
CONTENT = "dog cat stove sink oven umbrella airplane red white".split()
WORDS = "a an the and two with on of".split() + CONTENT
# The interface of onnxruntime-web that the page uses.
RUNTIME = """
export const env = { wasm: {} };
export class Tensor {
  constructor(type, data, dims) { Object.assign(this, { type, data, dims }); }
}
"""
WRITE = """
const { Model } = await import("./model.js");
const written = [];
for (const { features, question, outputs } of values.rows) {
  const found = {};
  for (const name in outputs) found[name] = { data: Float32Array.from(outputs[name]) };
  const model = new Model(values.settings, null, { run: async () => found });
  const data = Float32Array.from(features);
  written.push(await model.write({ data, dims: values.dims }, question));
}
return written;
"""


@pytest.fixture(scope="module")
def node(tmp_path_factory):
    """Runs the body of an `async` function beside the modules of the page; gives its value."""
    if not shutil.which("node"):
        pytest.skip("Node.js is not installed")
    folder = tmp_path_factory.mktemp("node")
    for path in web.SITE.glob("*.js"):
        shutil.copy(path, folder)
    (folder / "package.json").write_text('{"type": "module"}')
    runtime = folder / "onnxruntime" / Path(web.RUNTIME_FILES[0]).with_suffix(".js").name
    runtime.parent.mkdir()
    runtime.write_text(RUNTIME)

    def run(script, values):
        (folder / "run.js").write_text(
            f"""
            import {{ readFileSync }} from "node:fs";
            const values = JSON.parse(readFileSync("values.json", "utf-8"));
            const result = await (async () => {{ {script} }})();
            process.stdout.write(JSON.stringify(result));
            """
        )
        (folder / "values.json").write_text(json.dumps(values))
        command = ["node", "run.js"]
        done = subprocess.run(command, cwd=folder, capture_output=True, encoding="utf-8")
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def assert_same_texts(node, rows):
    """That words become the same sentences and the same phrases; gives the sentences."""
    script = """
    const { Prose } = await import("./prose.js");
    const prose = new Prose(values.tables);
    return [false, true].map((asked) => values.rows.map((words) => prose.textOf(words, asked)));
    """
    found = node(script, {"tables": prose.tables(), "rows": rows})
    expected = [[prose.text_of(words, asked) for words in rows] for asked in (False, True)]
    assert found == expected
    return expected[0]


def lists(tables, count):
    """Lists of nouns and colours, most of them of one kind, with the words that stand around."""
    chance = random.Random(0)
    nouns = [*itertools.chain(*tables["kinds"]), *map(str.split, tables["compounds"]), "man"]

    def item(kind):
        noun = chance.choice(kind if chance.random() < 0.9 else nouns)
        before = (chance.choice(tables[name]) for name in ("determiners", "beforeNouns"))
        some = [word for word in before if chance.random() < 0.3]
        return [*some, *([noun] if isinstance(noun, str) else noun)]

    for _ in range(count):
        kind = chance.choice([*tables["kinds"], nouns])
        items = [item(kind) for _ in range(chance.randint(1, 4))]
        last = item(kind)[: chance.choice([None, None, None, 0, 1])]
        start = chance.choice([[], ["a", "man", "with"], ["and"]])
        yield [*start, *itertools.chain(*items), "and", *last]


def test_lists_have_the_same_commas(node):
    rows = list(lists(prose.tables(), 4000))
    texts = assert_same_texts(node, [*rows, [], ["and"]])
    assert 1000 < sum("," in text for text in texts) < 3000


def test_the_article_before_each_word_of_the_vocabulary_is_the_same(node):
    words = presets.read_vocabulary(presets.find("everyday")).words[len(SPECIAL) :]
    numbers = ["8", "11", "18", "110", "180", "1800", "x-ray", "u-turn", "one-way", "historic"]
    pairs = [[article, word] for article in ("a", "an") for word in [*words, *numbers]]
    texts = assert_same_texts(node, [*pairs, ["a"], ["an"], ["an", "is"]])
    assert sum(text.startswith("An ") for text in texts) > 1000


class Toy(SimpleNamespace):
    """The parts of a model that `caption_of` and `web.settings` use."""

    detokenize = staticmethod(prose.text_of)


def toy(calibration):
    return Toy(
        vocabulary=Vocabulary([*SPECIAL, *WORDS]),
        calibration=calibration,
        grid=(1, REGIONS),
        answers=True,
        steps=STEPS,
        config=SimpleNamespace(image_size=8, max_question_words=4),
    )


def search_of(rng):
    """Outputs of a search: `BEAM_WIDTH` texts of 1 to 8 words with many in common."""
    found = rng.integers(len(SPECIAL), len(SPECIAL) + len(WORDS), STEPS)
    tokens = np.tile(found, (BEAM_WIDTH, 1))
    changed = rng.random(tokens.shape) < 0.3
    tokens[changed] = rng.permutation(tokens[changed])
    for row, length in zip(tokens, rng.integers(1, STEPS + 1, BEAM_WIDTH), strict=True):
        row[length:] = PAD
        row[length : length + 1] = END
    log_probs = np.where(tokens == PAD, 0, np.log(rng.uniform(0.01, 1, tokens.shape)))
    content = np.arange(len(SPECIAL) + len(WORDS) - len(CONTENT), len(SPECIAL) + len(WORDS))
    return {
        "tokens": tokens,
        "log_probs": log_probs.astype("float32"),
        "attention": rng.dirichlet(np.ones(REGIONS), tokens.shape).astype("float32"),
        "concepts": rng.permutation(content)[:CONCEPTS],
        "odds": -np.sort(-rng.normal(0, 2, CONCEPTS)).astype("float32"),
    }


def weights(rng, length):
    return tuple(rng.normal(0, 1, length).tolist())


def calibration_of(rng):
    return Calibration(
        captions=weights(rng, FEATURES),
        answers=weights(rng, FEATURES),
        photograph=weights(rng, 1 + CHANNELS),
        ranking=weights(rng, len(reranking.FEATURES)),
    )


def compared(node, model, seed, count):
    """Pairs of what the page writes of searches and of what Python does, captions and answers."""
    rng = np.random.default_rng(seed)
    rows, expected = [], []
    for question in [None, "what color is it?"] * count:
        outputs, maps = search_of(rng), rng.normal(0, 1, (1, REGIONS, CHANNELS)).astype("float32")
        flat = {name: array.ravel().tolist() for name, array in outputs.items()}
        rows.append({"features": maps.ravel().tolist(), "question": question, "outputs": flat})
        searched = [outputs[name] for name in OUTPUTS]
        concepts = concepts_of(model, outputs["concepts"], outputs["odds"])
        photograph = 1.0 if model.calibration is None else model.calibration.is_photograph(maps)[0]
        expected.append(caption_of(model, question is not None, *searched, concepts, photograph))
    values = {"settings": web.settings(model), "dims": maps.shape, "rows": rows}
    return list(zip(node(WRITE, values), expected, strict=True))


def assert_alike(found, expected):
    assert found["text"] == expected.text
    if expected.confidence is None:
        assert found["confidence"] is None
    else:
        assert found["confidence"] == pytest.approx(expected.confidence, rel=1e-5)
    assert [(c["word"], pytest.approx(c["probability"])) for c in found["concepts"]] == [
        (concept.word, concept.probability) for concept in expected.concepts
    ]
    for one, other in zip(found["candidates"], expected.candidates, strict=True):
        assert one["text"] == other.text
        assert one["score"] == pytest.approx(other.score, rel=1e-5)
        assert [word["word"] for word in one["words"]] == [word.word for word in other.words]


@pytest.mark.parametrize("seed", range(3))
def test_candidates_are_ranked_and_rated_alike(node, seed):
    model = toy(calibration_of(np.random.default_rng(seed)))
    reranked = 0
    for found, expected in compared(node, model, seed, count=100):
        assert_alike(found, expected)
        reranked += expected.score < max(c.score for c in expected.candidates)
    assert reranked > 20


@pytest.mark.parametrize("missing", [["photograph"], ["ranking"], ["captions", "answers"]])
def test_what_was_not_measured_is_left_out_alike(node, missing):
    there = vars(calibration_of(np.random.default_rng(0)))
    model = toy(Calibration(**{task: there[task] for task in there if task not in missing}))
    for found, expected in compared(node, model, 0, count=20):
        assert_alike(found, expected)


def test_a_model_without_a_calibration_writes_alike(node):
    for found, expected in compared(node, toy(None), 0, count=20):
        assert_alike(found, expected)


def test_the_features_of_the_ranking_are_the_same(node):
    script = """
    const { featuresOf } = await import("./reranking.js");
    return values.captions.map(([candidates, concepts]) =>
      featuresOf(candidates, concepts, values.calibration));
    """
    model, rng = toy(None), np.random.default_rng(0)
    captions = []
    for outputs in (search_of(rng) for _ in range(200)):
        concepts = concepts_of(model, outputs["concepts"], outputs["odds"])
        searched = [outputs[name] for name in OUTPUTS]
        captions.append(caption_of(model, False, *searched, concepts))
    rows = [([as_json(c) for c in caption.candidates], caption.concepts) for caption in captions]
    rows = [(candidates, [c._asdict() for c in concepts]) for candidates, concepts in rows]
    values = {"captions": rows, "calibration": web.settings(model)["calibration"]}
    for found, caption in zip(node(script, values), captions, strict=True):
        expected = reranking.features(caption.candidates, caption.concepts)
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def as_json(candidate):
    words = [{"word": w.word, "probability": w.probability} for w in candidate.words]
    return {"score": candidate.score, "words": words}
