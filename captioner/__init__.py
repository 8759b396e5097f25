"""Captions of photographs, and answers to questions about them, from a small trained model."""

import importlib
from typing import Any

__version__ = "0.1.0"

# Public name -> its module. Imported at first use, so that `--help` does not wait for TensorFlow.
_PUBLIC = {
    "Captioner": "captioner.models.captioner",
    "OnnxCaptioner": "captioner.runtime.onnx_captioner",
    "Vocabulary": "captioner.data.vocabulary",
    "load_dataset": "captioner.data.readers",
    "train": "captioner.training.train",
}
__all__ = sorted(_PUBLIC)


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        try:
            return getattr(importlib.import_module(_PUBLIC[name]), name)
        except ModuleNotFoundError as error:
            if error.name not in ("keras", "tensorflow"):
                raise
            raise ModuleNotFoundError(
                f"captioner.{name} needs {error.name}: pip install 'captioner[train]'; "
                "captioner.OnnxCaptioner writes the same without",
                name=error.name,
            ) from error
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
