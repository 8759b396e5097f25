"""The attention of each word, as a GIF."""

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.font_manager import FontProperties, findfont
from PIL import Image, ImageDraw, ImageFont

from captioner.data.images import Source, open_image
from captioner.overlay.heat import blend, scale

if TYPE_CHECKING:
    from captioner.generation.results import Word

SIZE = (640, 480)  # of the photograph, in pixels, at most


def animation(photograph: Source, words: "Sequence[Word]", question: str | None = None) -> bytes:
    """A GIF that shows the words in turn, one second each, after the question if there is one."""
    question_words = [] if question is None else question.split()
    image = open_image(photograph, at_least=SIZE[0])
    factor = min(SIZE[0] / image.width, SIZE[1] / image.height)
    size = max(1, round(image.width * factor)), max(1, round(image.height * factor))
    image = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=3)
    limit = scale([word.attention for word in words])
    frames = [
        _dithered(_frame(blend(image, word.attention, limit), question_words, words, position))
        for position, word in enumerate(words)
    ]
    file = io.BytesIO()
    frames[0].save(file, "GIF", save_all=True, append_images=frames[1:], duration=1000, loop=0)
    return file.getvalue()


def _frame(
    image: Image.Image, question_words: Sequence[str], words: "Sequence[Word]", position: int
) -> Image.Image:
    """The picture; below it the question, all words with one marked, and its probability."""
    width, height = max(image.width, 480), 34
    font = ImageFont.truetype(findfont(FontProperties()), 22)
    x, y = 16.0, image.height + 16
    places: list[tuple[float, int, float]] = []
    for text in [*question_words, *(word.word for word in words)]:
        length = font.getlength(text)
        if x + length > width - 16 and x > 16:
            x, y = 16, y + height
        places.append((x, y, length))
        x += length + 12
    frame = Image.new("RGB", (width, y + 2 * height + 12), "#111111")
    frame.paste(image, ((width - image.width) // 2, 0))
    draw = ImageDraw.Draw(frame)
    for text, (x, y, _) in zip(question_words, places, strict=False):
        draw.text((x, y), text, "#f4f4f4", font)
    for number, (word, (x, y, length)) in enumerate(
        zip(words, places[len(question_words) :], strict=True)
    ):
        marked = number == position
        if marked:
            draw.rounded_rectangle((x - 5, y - 3, x + length + 5, y + height - 5), 5, "#fca50a")
        draw.text((x, y), word.word, "#111111" if marked else "#b4b4b4", font)
    probability = f"probability {words[position].probability:.2f}"
    draw.text((16, y + height + 4), probability, "#fca50a", font)
    return frame


def _dithered(frame: Image.Image) -> Image.Image:
    """A frame in 256 colours."""
    palette = frame.quantize(method=Image.Quantize.MAXCOVERAGE)
    return frame.quantize(palette=palette, dither=Image.Dither.FLOYDSTEINBERG)
