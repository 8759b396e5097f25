"""Measures alternatives, with random weights: `python benchmarks/others.py`."""

import os
import statistics
import time
from collections.abc import Callable

import torch
from torch import nn
from torchvision.models import resnet101
from transformers import (
    BlipConfig,
    BlipForConditionalGeneration,
    GPT2Config,
    GPT2LMHeadModel,
    VisionEncoderDecoderModel,
    ViTConfig,
    ViTModel,
)

WORDS, BEAM = 12, 3


class ShowAttendTell(nn.Module):
    """ResNet-101, soft attention over 14 x 14 regions, an LSTMCell, sizes of the tutorials."""

    def __init__(self, words: int = 9490, size: int = 512) -> None:
        super().__init__()
        self.encoder = nn.Sequential(*list(resnet101().children())[:-2])
        self.pool = nn.AdaptiveAvgPool2d(14)
        self.keys, self.query = nn.Linear(2048, size), nn.Linear(size, size)
        self.score, self.gate = nn.Linear(size, 1), nn.Linear(size, 2048)
        self.embedding, self.cell = nn.Embedding(words, size), nn.LSTMCell(size + 2048, size)
        self.start, self.output = nn.Linear(2048, 2 * size), nn.Linear(size, words)

    def forward(self, photograph: torch.Tensor) -> list[int]:
        """The words of the best beam."""
        regions = self.pool(self.encoder(photograph)).flatten(2).transpose(1, 2)
        regions = regions.expand(BEAM, -1, -1)
        h, c = self.start(regions.mean(1)).chunk(2, -1)
        scores, last = torch.zeros(BEAM), torch.zeros(BEAM, dtype=torch.long)
        sentences: list[list[int]] = [[] for _ in range(BEAM)]
        for _ in range(WORDS):
            seen = torch.relu(self.keys(regions) + self.query(h)[:, None])
            weights = self.score(seen).softmax(1)
            context = torch.sigmoid(self.gate(h)) * (weights * regions).sum(1)
            h, c = self.cell(torch.cat([self.embedding(last), context], -1), (h, c))
            totals = scores[:, None] + self.output(h).log_softmax(-1)
            scores, best = totals.flatten().topk(BEAM)
            parents, last = best // totals.shape[1], best % totals.shape[1]
            h, c = h[parents], c[parents]
            sentences = [[*sentences[i], int(word)] for i, word in zip(parents, last, strict=True)]
        return sentences[0]


def vit_gpt2() -> Callable[[], object]:
    """ViT-base at 224 pixels and GPT-2 with cross-attention."""
    decoder = GPT2LMHeadModel(GPT2Config(add_cross_attention=True, is_decoder=True))
    model = VisionEncoderDecoderModel(encoder=ViTModel(ViTConfig()), decoder=decoder).eval()
    pixels = torch.rand(1, 3, 224, 224)
    settings = {"decoder_start_token_id": 0, "pad_token_id": 0, "eos_token_id": None}
    return lambda: model.generate(
        pixels, num_beams=BEAM, min_new_tokens=WORDS, max_new_tokens=WORDS, **settings
    )


def blip() -> Callable[[], object]:
    """BLIP-base at 384 pixels."""
    config = BlipConfig(vision_config={"image_size": 384})
    model = BlipForConditionalGeneration(config).eval()
    pixels = torch.rand(1, 3, 384, 384)
    return lambda: model.generate(
        pixel_values=pixels, num_beams=BEAM, min_new_tokens=WORDS, max_new_tokens=WORDS
    )


def show_attend_tell() -> Callable[[], object]:
    """The tutorials' shape at 256 pixels."""
    model, pixels = ShowAttendTell().eval(), torch.rand(1, 3, 256, 256)
    return lambda: model(pixels)


def main() -> None:
    """Print the table."""
    torch.set_num_threads(os.cpu_count() or 1)
    print(f"{os.cpu_count()} cores; one caption of {WORDS} words by a beam of {BEAM}, warm")
    shapes = {"Show, Attend and Tell": show_attend_tell, "ViT-GPT2": vit_gpt2, "BLIP-base": blip}
    for name, build in shapes.items():
        write, seconds = build(), []
        with torch.inference_mode():
            for _ in range(6):
                start = time.perf_counter()
                write()
                seconds.append(time.perf_counter() - start)
        print(f"{name:36}{1000 * statistics.median(seconds[1:]):>25.0f} ms", flush=True)


if __name__ == "__main__":
    main()
