"""CALM Studio's library: few-shot audio classification that shows its reasons (arXiv 2602.07077).

from calm_core import CalmClassifier, extract, load_backbone

backbone = load_backbone("pocket")
model = CalmClassifier.fit(extract(support_paths, backbone), labels)
print(model.predict(extract(query_paths, backbone)).labels)
"""

from .backbones import load_backbone
from .classifier import CalmClassifier, Prediction
from .errors import CalmError
from .extraction import extract
from .options import ExtractOptions, FitOptions
from .vectors import HeadVectors, VectorStore

__version__ = "0.1.0"

__all__ = [
    "CalmClassifier",
    "CalmError",
    "ExtractOptions",
    "FitOptions",
    "HeadVectors",
    "Prediction",
    "VectorStore",
    "extract",
    "load_backbone",
]
