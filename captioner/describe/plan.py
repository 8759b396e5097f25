"""Plans of descriptions: the change of each property, before anything is written."""

from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from captioner.data.metadata import captions_of, orientation_of, xmp_of
from captioner.describe.containers import Container, Sidecar, container_of, verify
from captioner.describe.errors import DescriptionError, Refused
from captioner.describe.files import check_replaceable, replace_file
from captioner.describe.names import faces_of, names_in_order, with_names
from captioner.describe.xmp import CAPTIONS, DEFAULT, DESCRIPTION, EMPTY, FROM_EXIF, WRAPPED, Packet


class Skipped(Enum):
    """The reason for skipping a property."""

    SAME = "the text is the same"
    PERSON = "a person wrote the text"
    ELSEWHERE = "a person wrote a caption in EXIF, IPTC or a comment"


class Outcome(Enum):
    """The effect of a plan on a photograph."""

    WRITTEN = "described"
    PARTLY = "described in part (a person wrote the rest)"
    SAME = "already described in the same words"
    KEPT = "already described by a person"
    UNDONE = "removed"
    NOTHING = "without a description by captioner"


@dataclass(frozen=True)
class Plan:
    """A verified change of a photograph or its sidecar, not yet made.

    Attributes:
        photograph: the file.
        place: the file that changes: the photograph or its sidecar.
        outcome: the effect.
        texts: for each property its text, or the reason for skipping it.
        content: the new content; empty to remove the file, None for no change.
        before: the old content; empty for no file.
    """

    photograph: Path
    place: Path
    outcome: Outcome
    texts: dict[str, str | Skipped] = field(default_factory=dict)
    content: bytes | None = None
    before: bytes = b""

    def carry_out(self) -> None:
        """Make the change.

        The file is replaced atomically. A photograph keeps its modification time, because albums
        are sorted by it. A sidecar gets a new one, because darktable and other programs then read
        it again.

        Raises:
            OSError: the file cannot be written, or has changed since it was read.
        """
        if self.content is not None:
            keep_time = self.place == self.photograph
            replace_file(self.place, self.content, self.before, self.photograph, keep_time)


def sidecar_of(photograph: Path) -> Path:
    """The sidecar of a photograph: dog.jpg.xmp, because dog.png can be in the same folder."""
    places = [photograph.with_name(f"{photograph.name}{suffix}") for suffix in (".xmp", ".XMP")]
    return next(filter(Path.exists, places), places[0])


def plan(
    photograph: Path,
    text: str,
    sidecar: bool = False,
    overwrite: bool = False,
    names: bool = False,
) -> Plan:
    """Plan to describe a photograph.

    Args:
        photograph: the file.
        text: the description.
        sidecar: whether to write into a separate file.
        overwrite: whether to replace a person's text.
        names: whether to add the names of people whose faces are marked in the XMP.

    Raises:
        DescriptionError: the file cannot be changed safely.
        OSError: it cannot be read or replaced.
    """
    target = _Target(photograph, sidecar)
    packets = [target.packet]
    if names or not overwrite:
        packets += _other_packets(target)
    skipped = {} if overwrite else _skipped(target, packets)
    if names:
        faces = next(filter(None, map(faces_of, packets)), [])
        text = with_names(text, names_in_order(faces, orientation_of(target.original)))
    texts: dict[str, str | Skipped] = {}
    for name in CAPTIONS:
        if name in skipped:
            texts[name] = skipped[name]
        elif target.packet.written == text and target.packet.is_ours(name):
            texts[name] = Skipped.SAME
        else:
            texts[name] = text
            target.packet.put(name, text)
    kinds = set(texts.values())
    if text not in kinds:
        outcome = Outcome.SAME if Skipped.SAME in kinds else Outcome.KEPT
        return Plan(photograph, target.place, outcome, texts)
    target.packet.mark(text)
    outcome = Outcome.PARTLY if kinds & {Skipped.PERSON, Skipped.ELSEWHERE} else Outcome.WRITTEN
    return Plan(photograph, target.place, outcome, texts, target.changed(), target.before)


def plan_undo(photograph: Path, sidecar: bool = False) -> Plan:
    """Plan to remove the texts of this program, except those that a person has changed.

    A sidecar of this program is removed if it becomes empty. For the errors see `plan`.
    """
    target = _Target(photograph, sidecar)
    if target.packet.written is None:
        return Plan(photograph, target.place, Outcome.NOTHING)
    for name in [name for name in CAPTIONS if target.packet.is_ours(name)]:
        target.packet.take_out(name)
    target.packet.mark(None)
    return Plan(photograph, target.place, Outcome.UNDONE, {}, target.changed(), target.before)


class _Target:
    """The file that gets a description.

    Attributes:
        photograph: the photograph.
        place: the photograph or its sidecar.
        packet: the XMP, to be changed.
        before: the content of the place; empty for no file.
    """

    def __init__(self, photograph: Path, sidecar: bool) -> None:
        self.photograph = photograph
        self.place = sidecar_of(photograph) if sidecar else photograph
        self.original = self.before = photograph.read_bytes()
        if sidecar:
            self.before = self.place.read_bytes() if self.place.is_file() else b""
        try:
            self._container: Container = Sidecar() if sidecar else container_of(self.original)
            packet = self._container.read(self.before)
            self._size = 0 if sidecar or packet is None else len(packet)
            self.packet = Packet(packet or (EMPTY if sidecar else WRAPPED))
        except Refused as error:
            raise self._refusal(error) from error

    def changed(self) -> bytes:
        """The content of the file with the current packet, verified."""
        if self.place.exists():
            check_replaceable(self.place)
        empty = self.packet.is_empty()
        try:
            packet = None if empty else self.packet.to_bytes(at_least=self._size)
            content = self._container.write(self.before, packet)
            verify(self._container, self.before, content)
        except Refused as error:
            raise self._refusal(error) from error
        return content

    def _refusal(self, error: Refused) -> DescriptionError:
        remedy = "repair it or remove it" if self.place != self.photograph else "try --sidecar"
        return DescriptionError(f"{self.place}: cannot be changed safely: {error}; {remedy}")


def _skipped(target: _Target, packets: list[Packet]) -> dict[str, Skipped]:
    """The properties with a person's text, in the XMP or elsewhere."""
    ours = {packet.written for packet in packets} - {None}

    def is_a_persons(name: str) -> bool:
        """Whether a person has written or changed a property."""
        found = (packet.texts(name) for packet in packets)
        return any(texts and texts.get(DEFAULT) not in ours for texts in found)

    skipped = {name: Skipped.PERSON for name in CAPTIONS if is_a_persons(name)}
    if set(captions_of(target.original)) - ours or any(map(is_a_persons, FROM_EXIF)):
        skipped.setdefault(DESCRIPTION, Skipped.ELSEWHERE)
    return skipped


def _other_packets(target: _Target) -> list[Packet]:
    """The XMP of the photograph, and of its sidecars with the names of other programs."""
    photograph = target.photograph
    names = [f"{base}{s}" for base in (photograph.name, photograph.stem) for s in (".xmp", ".XMP")]
    packets = []
    for path in dict.fromkeys([photograph, *map(photograph.with_name, names)]):
        if path == target.place or not path.is_file():
            continue
        content = xmp_of(target.original) if path == photograph else path.read_bytes()
        try:
            packets += [Packet(content)] if content else []
        except Refused as error:
            raise DescriptionError(
                f"{path}: may contain a description by a person, but {error}; "
                "repair it, or give --overwrite without --names"
            ) from error
    return packets
