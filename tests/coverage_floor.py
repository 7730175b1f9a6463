"""The coverage that the house promises: 95 % of branches overall, all of them where a mistake would leak or lie.

python tests/coverage_floor.py reports/coverage.json
"""

import json
import sys
from pathlib import Path
from typing import Any

OVERALL = 95.0
COMPLETE = ("retrieval/access.py", "serving/citing.py", "ingest/retries.py")


def share(summary: dict[str, Any]) -> float:
    """Per cent of lines and branches that ran."""
    return float(summary["percent_covered"])


def below(report: dict[str, Any]) -> list[str]:
    """What falls short, a line each."""
    short = [f"overall: {share(report['totals']):.1f} % < {OVERALL} %"] if share(report["totals"]) < OVERALL else []
    for name in COMPLETE:
        file = report["files"].get(name)
        if file is None:
            short.append(f"{name}: not measured")
        elif share(file["summary"]) < 100:
            missing = file["missing_lines"] + [tuple(branch) for branch in file.get("missing_branches", [])]
            short.append(f"{name}: {share(file['summary']):.1f} % < 100 %: {missing}")
    return short


def main() -> int:
    """Print what falls short; 1 if anything does."""
    short = below(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    print("\n".join(short) or "coverage: as promised")
    return 1 if short else 0


if __name__ == "__main__":
    sys.exit(main())
