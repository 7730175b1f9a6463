"""How likely an answer is right, from measurements alone: never the model's own opinion of itself.

Two logistic combinations, fitted on a development set by `tests/evaluation/fit_confidence.py`; weights and recipe are
in `confidence.json`. They order answers well and are roughly calibrated on that set only; calibration on a customer's
own documents comes with `lastro evaluate`.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

WEIGHTS_FILE: Final = Path(__file__).with_name("confidence.json")


@dataclass(frozen=True, slots=True)
class Logistic:
    """p = 1 / (1 + exp(-(bias + sum of weight x feature))), and the p from which on it means yes."""

    bias: float
    weights: Mapping[str, float]
    threshold: float

    def probability(self, features: Mapping[str, float]) -> float:
        """Between 0 and 1. Raises KeyError for a feature that is not given."""
        score = self.bias + sum(weight * features[name] for name, weight in self.weights.items())
        return 1.0 / (1.0 + math.exp(-max(-60.0, min(60.0, score))))


@dataclass(frozen=True, slots=True)
class Confidence:
    """`before` a draft is made: do the passages hold the answer? `after` it was checked: is the answer right?"""

    before: Logistic
    after: Logistic

    @classmethod
    def load(cls, embedder: str = "", file: Path = WEIGHTS_FILE) -> Self:
        """The fitted weights; those for an embedder that nothing was fitted for leave its scores out."""
        content = json.loads(file.read_text(encoding="utf-8"))
        parts = content["embedders"].get(embedder, content["any embedder"])
        return cls(_logistic(parts["before"]), _logistic(parts["after"]))


def _logistic(part: Mapping[str, Any]) -> Logistic:
    return Logistic(part["bias"], part["weights"], part["threshold"])
