"""Imports run one way, from the command line down to layers and data."""

import ast
import graphlib
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "captioner"
# The rooms that each room may import.
BELOW = {
    "cli": {
        "describe",
        "web",
        "watch",
        "bulk",
        "presets",
        "export",
        "runtime",
        "training",
        "evaluation",
        "overlay",
        "models",
        "generation",
        "layers",
        "data",
    },
    "bulk": {"generation", "data"},
    "describe": {"data"},
    "web": {"export", "overlay", "generation", "data"},
    "watch": {"data"},
    "export": {"presets", "runtime", "overlay", "models", "generation", "data"},
    # Of the models only their settings: a test sees that Keras is not imported.
    "runtime": {"presets", "models", "generation", "data"},
    "training": {"presets", "evaluation", "overlay", "models", "generation", "layers", "data"},
    "evaluation": {"presets", "models", "generation", "data"},
    "overlay": {"data"},
    # The overlay for a caption that shows itself in a notebook, imported when it does.
    "models": {"presets", "overlay", "generation", "layers", "data"},
    "generation": {"layers", "data"},
    "presets": {"data", "generation"},
    "layers": set(),
    "data": set(),
}


def module_of(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in PACKAGE.rglob("*.py")}


def imports_of(path, types=False):
    """The modules of the package that a file imports, in functions too.

    Those that only a type needs are left out unless `types`.
    """
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if not types:
        for node in list(ast.walk(tree)):
            if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
                node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "captioner":
            for alias in node.names:
                name = f"{node.module}.{alias.name}"
                yield name if name in MODULES else node.module


@pytest.mark.parametrize("room", BELOW)
def test_a_room_imports_only_from_below(room):
    paths = [PACKAGE / f"{room}.py", *(PACKAGE / room).rglob("*.py")]
    for path in filter(Path.is_file, paths):
        found = {name.split(".")[1] for name in imports_of(path) if name != "captioner"} - {room}
        assert found <= BELOW[room] | {"errors"}, (
            f"{path.relative_to(PACKAGE)}: {found - BELOW[room]}"
        )


def test_one_module_imports_onnxruntime():
    """It switches the telemetry off before."""
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if any(name.split(".")[0] == "onnxruntime" for name in names):
                found.add(path.relative_to(PACKAGE).as_posix())
    assert found == {"runtime/graph.py"}


def test_every_room_is_known():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")} | {"presets"}
    assert rooms == set(BELOW)


def test_no_module_imports_itself_through_others():
    """Neither at its start nor in a function nor for a type."""
    graph = {name: set(imports_of(path, types=True)) for name, path in MODULES.items()}
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError with the names


def test_below_is_below():
    """No room is below itself, by whatever way."""

    def all_below(room):
        return BELOW[room].union(*(all_below(other) for other in BELOW[room]))

    assert all(room not in all_below(room) for room in BELOW)
