"""Run every measurement of speed and memory and write the figures down: `make bench`.

    python tests/bench/run_all.py --out reports [--only embedding,vector_search]

Each measurement is a program of its own in this folder that takes `--json FILE` and prints a table: a fresh process
each, so that none warms up another. The machine and its load stand in every file.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAMS = sorted(path.stem for path in HERE.glob("*.py") if path.name not in {Path(__file__).name, "machine.py"})


def run(name: str, out: Path) -> bool:
    """Run one measurement and say how it went."""
    started = time.monotonic()
    print(f"\n== {name}", flush=True)
    command = [sys.executable, str(HERE / f"{name}.py"), "--json", str(out / f"{name}.json")]
    succeeded = subprocess.run(command, check=False).returncode == 0
    print(f"== {name}: {'done' if succeeded else 'FAILED'} in {time.monotonic() - started:.0f} s", flush=True)
    return succeeded


def main() -> int:
    """Run what was asked for; 1 if a measurement failed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("reports"))
    parser.add_argument("--only", default=",".join(PROGRAMS), help="names, separated by commas")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    results = [run(name, options.out) for name in options.only.split(",")]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
