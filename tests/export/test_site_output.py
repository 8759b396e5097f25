"""In the browser the model sees the pixels, and writes the words, that it does in Python."""

import hashlib
import io

import numpy as np
import pytest
from PIL import Image, ImageDraw
from skimage import data

from captioner import presets
from captioner.data.images import load_image, open_image
from captioner.data.tokenizer import phrase, sentence, tokenize

pytestmark = pytest.mark.slow
SIZE = 256
SAMPLES = "astronaut camera cat chelsea clock coffee coins moon page rocket text horse".split()
FORMATS = {
    "png": {},
    "jpeg": {"quality": 92},
    "webp": {"lossless": True, "exact": True},
}


def sample(name):
    pixels = getattr(data, name)()
    return Image.fromarray(pixels if pixels.dtype == np.uint8 else 255 * pixels.astype("uint8"))


def drawing(seed):
    """Shapes by chance, in colours, on a ground of another one."""
    rng = np.random.default_rng(seed)
    image = Image.new("RGB", tuple(map(int, rng.integers(90, 700, 2))), colour(rng))
    draw = ImageDraw.Draw(image)
    for shape in (draw.ellipse, draw.rectangle, draw.ellipse):
        (x, y), (w, h) = rng.integers(0, 300, 2), rng.integers(20, 300, 2)
        shape([int(v) for v in (x, y, x + w, y + h)], fill=colour(rng))
    return image


def colour(rng):
    return tuple(map(int, rng.integers(0, 256, 3)))


def pictures():
    """50 of them: samples, crops of these, and drawings."""
    for name in SAMPLES:
        yield (image := sample(name))
        w, h = image.size
        yield image.crop((0, 0, 2 * w // 3, 2 * h // 3))
        yield image.crop((w // 3, h // 4, w, h))
    for seed in range(50 - 3 * len(SAMPLES)):
        yield drawing(seed)


@pytest.fixture
def served(host):
    """Writes an image beside the page, and gives its path there.

    Another image has another path: within a second the host could not tell that a file has changed,
    and the browser would show the one before.
    """
    folder = host.folder / "pictures"
    folder.mkdir(exist_ok=True)

    def write(name, content):
        name = f"{hashlib.sha256(content).hexdigest()[:16]}-{name}"
        (folder / name).write_bytes(content)
        return f"/pictures/{name}"

    return write


def encoded(image, kind, **options):
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


LOAD = """
const { loadPhotograph } = await load("photograph.js");
const file = await (await fetch(values[0])).blob();
return Array.from((await loadPhotograph(file, values[1])).pixels);
"""
SHOW = """
const { loadPhotograph } = await load("photograph.js");
const { picture } = await loadPhotograph(await (await fetch(values[0])).blob(), 8);
const context = new OffscreenCanvas(picture.width, picture.height).getContext("2d");
context.drawImage(picture, 0, 0);
const { data } = context.getImageData(0, 0, picture.width, picture.height);
return [picture.width, picture.height, Array.from(data)];
"""


def assert_pixels(page, address, content, tolerance=0):
    found = np.array(page.call(LOAD, address, SIZE)).reshape(SIZE, SIZE, 3)
    expected = load_image(io.BytesIO(content), SIZE).astype(int)
    assert np.abs(found - expected).max() <= tolerance


@pytest.mark.parametrize("kind", FORMATS)
def test_a_turned_photograph_is_upright_pixel_by_pixel(page, served, kind):
    image = sample("coffee").crop((3, 5, 410, 306))
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x010F], exif[0x0112] = "a camera", orientation
        content = encoded(image, kind, exif=exif, **FORMATS[kind])
        assert_pixels(page, served(f"{orientation}.{kind}", content), content)


def test_people_see_it_upright_too(page, served):
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        content = encoded(sample("coffee").crop((3, 5, 410, 306)), "png", exif=exif)
        width, height, rgba = page.call(SHOW, served("shown.png", content))
        expected = np.asarray(open_image(io.BytesIO(content)), int)
        assert (height, width) == expected.shape[:2], orientation
        found = np.array(rgba).reshape(height, width, 4)[..., :3]
        assert np.abs(found - expected).max() <= 1, orientation


def test_people_see_no_more_pixels_than_they_need(page, served):
    content = encoded(sample("coffee").resize((2400, 1500)), "jpeg")
    assert page.call(SHOW, served("large.jpg", content))[:2] == [1000, 625]


def test_any_shape_is_squashed_as_pillow_does(page, served):
    rng = np.random.default_rng(0)
    for size in (
        *((31, 900), (900, 31), (SIZE, 100), (700, SIZE)),
        *((SIZE, SIZE), (1, 1), (1500, 1111), (1500, 700)),
    ):
        image = Image.fromarray(rng.integers(0, 256, (*size, 3), "uint8"))
        content = encoded(image, "png")
        assert_pixels(page, served("shape.png", content), content)


def test_grey_palettes_and_profiles_are_read_alike(page, served):
    from PIL import ImageCms

    image = sample("chelsea")
    for mode in ("L", "P", "1"):
        content = encoded(image.convert(mode), "png")
        assert_pixels(page, served(f"{mode}.png", content), content)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    content = encoded(image, "png", icc_profile=profile)
    assert_pixels(page, served("profile.png", content), content)


def test_what_is_transparent_shows_white(page, served):
    image = sample("astronaut")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    content = encoded(image, "png")
    assert_pixels(page, served("alpha.png", content), content, tolerance=1)


def test_damaged_exif_data_is_no_reason_to_refuse(page, served):
    plain, exif = encoded(sample("coffee"), "jpeg", **FORMATS["jpeg"]), Image.Exif()
    exif[0x0112] = 6
    content = encoded(sample("coffee"), "jpeg", exif=exif, **FORMATS["jpeg"])
    at = content.index(b"Exif\0\0") + 10
    damaged = content[:at] + b"\xff\xff\xff\x00" + content[at + 4 :]  # where its directory lies
    found = page.call(LOAD, served("damaged.jpg", damaged), SIZE)
    assert found == load_image(io.BytesIO(plain), SIZE).ravel().tolist()


QUESTIONS = [
    "What color is the man's hat?",
    "how many dogs aren't on the couch?!",
    "Is this a T.V. or a 7:30 a.m. bus (the red one), Mr. Smith...",
    'who said "hello, dog" to the cat\'s owner?',
    "I cannot; gonna, gotta, wanna go -- lemme d'ye more'n 'tis 'twas",
    "“quoted” ‘single’ it’s – a dash — another… end",
    "e.g. 3,500 people, 50% & $3 #1 @home *star* [brackets] {braces} <tags>",
    "they'll we're I've he'd I'm dogs' o'clock 'em ''two''",
    "Où est le café naïve? 日本 what",
    "a . b , c : d ; e",
    "",
]


def test_questions_are_taken_apart_alike(page):
    script = "const { tokenize } = await load('tokenizer.js'); return values[0].map(tokenize);"
    assert page.call(script, QUESTIONS) == [tokenize(question) for question in QUESTIONS]


def test_words_are_joined_alike(page):
    words = presets.read_vocabulary(presets.find("everyday")).words[4:]
    rng = np.random.default_rng(0)
    rows = [[word] for word in words] + [list(rng.choice(words, 9)) for _ in range(2000)]
    script = "const { {} } = await load('tokenizer.js'); return values[0].map({});"
    for function in (phrase, sentence):
        found = page.call(script.replace("{}", function.__name__), rows)
        assert found == [function(row) for row in rows]


WRITE = """
const { Captioner } = await load("captioner.js");
const captioner = await Captioner.load();
const found = [];
for (const address of values[0]) {
  const photograph = await captioner.look(await (await fetch(address)).blob());
  const written = [await photograph.caption(), await photograph.answer(values[1])];
  found.push(written.map((caption) => ({
    ...caption,
    candidates: caption.candidates.map((candidate) => ({
      ...candidate,
      words: candidate.words.map((word) => ({ ...word, attention: Array.from(word.attention) })),
    })),
  })));
}
captioner.close();
return found;
"""


def test_fifty_pictures_are_written_about_alike(page, served, reference):
    contents = [encoded(image, "png") for image in pictures()]
    assert len(contents) == 50
    addresses = [served(f"{i}.png", content) for i, content in enumerate(contents)]
    question = "what color is it?"
    found = page.call(WRITE, addresses, question)
    rows = reference.answer([*map(io.BytesIO, contents)], [None, question], top=3)
    for written, row in zip(found, rows, strict=True):
        for one, other in zip(written, row, strict=True):
            assert_alike(one, other)


def assert_alike(found, expected):
    assert found["text"] == expected.text
    assert found["confidence"] == pytest.approx(expected.confidence, abs=0.01)
    assert [c["word"] for c in found["concepts"]] == [c.word for c in expected.concepts]
    for one, other in zip(found["candidates"], expected.candidates, strict=True):
        assert [w["word"] for w in one["words"]] == [w.word for w in other.words]
        assert one["score"] == pytest.approx(other.score, abs=1e-3)
        for word, again in zip(one["words"], other.words, strict=True):
            assert np.abs(np.array(word["attention"]) - again.attention.ravel()).max() < 1e-3
