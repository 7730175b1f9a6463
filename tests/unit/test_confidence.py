"""Confidence is computed from measurements with weights that are written down."""

import json
from pathlib import Path

import pytest

from serving.confidence import WEIGHTS_FILE, Confidence, Logistic

MEASURED = {"score": 0.87, "coverage": 0.8, "names": 1.0, "support": 0.9, "kept": 1.0, "near": 0.8}
FEATURES = {**MEASURED, "portuguese": 0.0, "crossing": 0.0}
EMBEDDER = "multilingual-e5-small-enpt-int8"


def test_the_logistic_function() -> None:
    model = Logistic(-1.0, {"coverage": 2.0}, 0.5)
    assert model.probability({"coverage": 0.5}) == pytest.approx(0.5)
    assert model.probability({"coverage": 1.0, "other": 9.0}) == pytest.approx(0.7310585786)


def test_extreme_measurements_stay_between_0_and_1() -> None:
    model = Logistic(0.0, {"x": 1.0}, 0.5)
    assert 0.0 <= model.probability({"x": -1e9}) < 1e-9
    assert 1 - 1e-9 < model.probability({"x": 1e9}) <= 1.0


def test_a_missing_measurement_is_an_error_and_not_a_zero() -> None:
    with pytest.raises(KeyError):
        Logistic(0.0, {"x": 1.0}, 0.5).probability({})


@pytest.mark.parametrize("embedder", [EMBEDDER, "another embedder"])
@pytest.mark.parametrize("feature", list(MEASURED))
def test_better_measurements_never_lower_the_confidence(embedder: str, feature: str) -> None:
    confidence = Confidence.load(embedder)
    worse = {**FEATURES, feature: FEATURES[feature] - 0.2}
    assert confidence.before.probability(worse) <= confidence.before.probability(FEATURES)
    assert confidence.after.probability(worse) <= confidence.after.probability(FEATURES)


def test_scores_of_an_embedder_nothing_was_fitted_for_are_left_out() -> None:
    unknown = Confidence.load("another embedder")
    assert "score" not in {**unknown.before.weights, **unknown.after.weights}
    assert "score" in Confidence.load(EMBEDDER).before.weights


def test_the_weights_say_how_they_were_made() -> None:
    content = json.loads(WEIGHTS_FILE.read_text(encoding="utf-8"))
    assert {"recipe", "fitted_on", "date"} <= set(content)


def test_weights_are_read_from_a_file(tmp_path: Path) -> None:
    part = {"bias": 1.0, "weights": {}, "threshold": 0.25}
    file = tmp_path / "weights.json"
    file.write_text(json.dumps({"any embedder": {"before": part, "after": part}, "embedders": {}}))
    assert Confidence.load("x", file).after.threshold == 0.25
