"""The coverage floor can fail."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


@pytest.fixture(scope="module")
def floor(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("coverage_floor", repository / "tests/coverage_floor.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def report(floor: ModuleType, overall: float, each: float) -> dict[str, Any]:
    file = {"summary": {"percent_covered": each}, "missing_lines": [7], "missing_branches": [[3, 5]]}
    return {"totals": {"percent_covered": overall}, "files": dict.fromkeys(floor.COMPLETE, file)}


def test_full_coverage_passes(floor: ModuleType) -> None:
    assert floor.below(report(floor, 95.0, 100.0)) == []


def test_a_low_total_is_named(floor: ModuleType) -> None:
    assert floor.below(report(floor, 94.9, 100.0)) == ["overall: 94.9 % < 95.0 %"]


def test_a_gap_where_none_may_be_is_named_with_its_lines(floor: ModuleType) -> None:
    short = floor.below(report(floor, 99.0, 99.0))
    assert len(short) == len(floor.COMPLETE)
    assert "[7, (3, 5)]" in short[0]


def test_a_file_that_was_not_measured_is_named(floor: ModuleType) -> None:
    assert "not measured" in floor.below({"totals": {"percent_covered": 99.0}, "files": {}})[0]
