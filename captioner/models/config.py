"""The settings of each model, which are also the schema of its `config.json`.

This module imports only the standard library, so presets can be read without importing Keras.
"""

from dataclasses import asdict, dataclass, fields
from types import UnionType
from typing import Any, ClassVar, Literal, Self, get_args, get_origin

AttentionName = Literal["additive", "dot", "mean"]
CellName = Literal["rnn", "lstm", "gru", "peephole_lstm"]
DecoderName = Literal["recurrent", "transformer"]
FusionName = Literal["sum", "product"]

FORMAT = 1  # of config.json; increases with each incompatible change


@dataclass(frozen=True, kw_only=True)
class Config:
    """The settings that rebuild a model, together with its vocabulary."""

    model: ClassVar[str]  # the class of the model

    def to_json(self) -> dict[str, Any]:
        """The content of `config.json`."""
        return {"format": FORMAT, "model": self.model, **asdict(self)}

    @classmethod
    def from_json(cls, content: Any) -> Self:
        """Read the output of `to_json`. A missing setting has its default.

        Raises:
            ValueError: another format or model, an unknown setting, or a value of another type.
        """
        if not isinstance(content, dict) or content.get("format") != FORMAT:
            found = content.get("format") if isinstance(content, dict) else None
            raise ValueError(
                f"its format is {found}, not {FORMAT}; use weights and a captioner of one release"
            )
        settings = {k: v for k, v in content.items() if k not in ("format", "model")}
        if content.get("model") != cls.model:
            raise ValueError(f"holds a {content.get('model')}, not a {cls.model}")
        if unknown := settings.keys() - {field.name for field in fields(cls)}:
            raise ValueError(f"a {cls.model} has no setting {', '.join(sorted(unknown))}")
        for field in fields(cls):
            if field.name in settings and not _is(settings[field.name], field.type):
                raise ValueError(f"its {field.name} cannot be {settings[field.name]!r:.60}")
        return cls(**settings)


def _is(value: Any, kind: Any) -> bool:
    """Whether a value of JSON is of the type of a field."""
    if isinstance(kind, UnionType):
        return any(_is(value, one) for one in get_args(kind))
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if kind is float:
        return type(value) in (int, float)
    if get_origin(kind) is tuple:
        return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    return type(value) is (get_origin(kind) or kind)


@dataclass(frozen=True, kw_only=True)
class CaptionerConfig(Config):
    """The settings of a `Captioner`.

    Attributes:
        encoder: a network by name, see `captioner.layers.image_encoder`.
        encoder_settings: the settings of a KerasHub network, see `read_hub` there.
        image_size: S, the side of the square that photographs are resized to, in pixels.
        annotation_size: D, the size of the annotation vectors.
        embedding_size: E, the size of word vectors.
        units: H, the size of the recurrent state.
        attention_size: A, the size of queries and keys.
        attention: the kind of attention, see `captioner.layers.attention`.
        decoder: "recurrent" (`captioner.layers.decoder`), or "transformer"
            (`captioner.layers.transformer_decoder`), which ignores `attention` and `cell`.
        cell: the recurrent cell of the decoder, see `captioner.layers.cells`.
        layers: the number of stacked cells or Transformer layers.
        heads: the number of heads of a Transformer layer. They share the units.
        positional: whether a Transformer adds position vectors.
        dropout: rate on annotation vectors, word vectors and the deep output.
        attention_penalty: weight of the doubly stochastic regularisation (eq. 14).
        max_words: the maximum length of an output, in words.
        question_units: C, the size of an encoded question; 0 for a model that only captions.
        question_layers: the number of stacked cells of the question encoder.
        question_bidirectional: whether questions are also read backwards.
        question_fusion: how the recurrent decoder combines a question with the memory. "sum" adds
            them. "product" also multiplies them (`AttentionDecoder`), and the question encoder
            reads the logit of each word that is a concept of the photograph.
        max_question_words: the maximum length of a question, in words. Longer ones are cut.
        caption_words: captions use only words with ids below this number. The other words are for
            questions and answers. None if captions may use all words.
        concepts: the words that the head over the encoder predicts, in the order of its outputs.
            Empty for a decoder with regions only.
        concept_slots: K, the number of concepts in the memory.
    """

    model: ClassVar[str] = "Captioner"

    encoder: str = "MobileNetV2"
    encoder_settings: dict[str, Any] | None = None
    image_size: int = 224
    annotation_size: int = 512
    embedding_size: int = 256
    units: int = 512
    attention_size: int = 256
    attention: AttentionName = "additive"
    decoder: DecoderName = "recurrent"
    cell: CellName = "lstm"
    layers: int = 1
    heads: int = 4
    positional: bool = True
    dropout: float = 0.4
    attention_penalty: float = 0.5
    max_words: int = 20
    question_units: int = 0
    question_layers: int = 1
    question_bidirectional: bool = False
    question_fusion: FusionName = "sum"
    max_question_words: int = 20
    caption_words: int | None = None
    concepts: tuple[str, ...] = ()
    concept_slots: int = 24

    def __post_init__(self) -> None:
        # JSON has no tuples.
        object.__setattr__(self, "concepts", tuple(self.concepts))
