"""Quality of what is found, on public collections, beside the bars: `make evaluate`.

    python tests/evaluation/run_all.py --out reports [--limit N]

Each row is one `lastro evaluate retrieval` with the real parts and default settings, before any rerank. The collections
stand in the shared evaluation data; where that is missing, nothing is measured and the reason is said.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
LASTRO = str(Path(sys.executable).parent / "lastro")


@dataclass(frozen=True)
class Run:
    """One evaluation; `share_of` names the run whose nDCG@10 the bar is a share of."""

    name: str
    collection: str
    split: str
    bar: float
    language: str = ""
    share_of: str = ""

    def command(self, shared: Path, report: Path, limit: int) -> list[str]:
        words = [LASTRO, "evaluate", "retrieval", str(shared / "evaldata" / self.collection), "--split", self.split]
        words += ["--as-language", self.language] if self.language else []
        words += ["--limit", str(limit)] if limit else []
        return [*words, "--json", str(report)]


RUNS = (
    Run("faquad", "faquad", "all", 0.925),
    Run("faquad asked in English", "faquad", "all", 0.80, "en", "faquad"),
    Run("scifact", "scifact", "test", 0.71),
    Run("scifact asked in Portuguese", "scifact", "test", 0.80, "pt", "scifact"),
)


def verdict(run: Run, figures: dict[str, dict[str, float]]) -> str:
    """The figure against its bar, as a row of a table."""
    own = figures[run.name]
    low, high = own["intervals"]["ndcg@10"]  # type: ignore[index,misc]
    value = own["ndcg@10"] / figures[run.share_of]["ndcg@10"] if run.share_of else own["ndcg@10"]
    shown = f"{value:.3f} of {run.share_of}" if run.share_of else f"{value:.4f}"
    met = "met" if value >= run.bar else "MISSED"
    cells = (
        run.name,
        own["n"],
        f"{own['ndcg@10']:.4f} ({low:.3f} to {high:.3f})",
        f"{own['recall@10']:.3f}",
        f"{own['recall@100']:.3f}",
        f"{own['query_p50_ms']:.1f} / {own['query_p95_ms']:.1f}",
        f"{shown} >= {run.bar}",
        met,
    )
    return f"| {' | '.join(str(cell) for cell in cells)} |"


def main() -> int:
    """Run them all and print the table; 1 if a bar was missed or a run failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("reports"))
    parser.add_argument("--limit", type=int, default=0, help="only the first questions, for a trial")
    options = parser.parse_args()
    shared = Path(os.environ.get("LASTRO_SHARED", ROOT.parent / "shared"))
    if not (shared / "evaldata").is_dir():
        print(f"nothing measured: no shared evaluation data at {shared}")
        return 0
    options.out.mkdir(parents=True, exist_ok=True)
    figures: dict[str, dict[str, float]] = {}
    for run in RUNS:
        report = options.out / f"retrieval-{run.name.replace(' ', '-')}.json"
        print(f"\n== {run.name}", flush=True)
        subprocess.run(run.command(shared, report, options.limit), check=True)
        figures[run.name] = json.loads(report.read_text(encoding="utf-8"))
    rows = [verdict(run, figures) for run in RUNS]
    table = "\n".join(
        [
            "| questions | n | nDCG@10 (95 %) | recall@10 | recall@100 | query p50 / p95 ms | bar | |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
        ]
    )
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    print(f"\n{table}\n\n{os.cpu_count()} cores, {platform.processor() or platform.machine()}, load {load}")
    (options.out / "retrieval.md").write_text(table + "\n", encoding="utf-8")
    return 0 if all("MISSED" not in row for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
