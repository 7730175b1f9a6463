"""How long `lastro serve` takes until it is ready, and what the idle tree needs in memory without a language model.

    python tests/bench/serve_ready.py [--runs 3] [--json reports/serve_ready.json]

Memory is the proportional set size of all processes of the tree: shared pages count once. RSS is shown beside it.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

MB = 2**20
IDLE_SECONDS = 5.0


def environment() -> dict[str, str]:
    """Ours without settings of the caller's, on any free port."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LASTRO_")}
    return {**kept, "LASTRO_SERVER__PORT": "0", "LASTRO_LLM__KIND": "extractive", "LASTRO_LOG_LEVEL": "error"}


def lastro(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "api.cli", *words]


def memory(root: psutil.Process) -> list[dict[str, object]]:
    """Each process of the tree with its memory in MB."""
    shown = []
    for process in [root, *root.children(recursive=True)]:
        full = process.memory_full_info()
        words = " ".join(process.cmdline()[3:5])
        shown.append({"process": words, "pss_mb": round(full.pss / MB, 1), "rss_mb": round(full.rss / MB, 1)})
    return shown


def measure(folder: str) -> dict[str, object]:
    """One start, a rest, a look at the memory, one stop."""
    begun = time.monotonic()
    server = subprocess.Popen(lastro("serve"), cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True)
    if server.stdout is None or not server.stdout.readline().startswith("Lastro is ready"):
        raise SystemExit("the server did not get ready")
    ready = time.monotonic() - begun
    time.sleep(IDLE_SECONDS)
    processes = memory(psutil.Process(server.pid))
    stopping = time.monotonic()
    server.send_signal(signal.SIGTERM)
    code = server.wait(timeout=60)
    return {
        "ready_s": round(ready, 2),
        "stop_s": round(time.monotonic() - stopping, 2),
        "exit_code": code,
        "pss_mb": round(sum(float(str(process["pss_mb"])) for process in processes), 1),
        "rss_mb": round(sum(float(str(process["rss_mb"])) for process in processes), 1),
        "processes": processes,
    }


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(lastro("init", "--json"), cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL)
        runs = [measure(folder) for _ in range(chosen.runs)]
    figures = {"load": os.getloadavg()[0], "cores": os.cpu_count(), "runs": runs}
    for run in runs:
        print(
            f"ready {run['ready_s']} s, stopped {run['stop_s']} s, {run['pss_mb']} MB (RSS added up {run['rss_mb']} MB)"
        )
    for process in runs[-1]["processes"]:  # type: ignore[attr-defined]
        print(f"  {process['pss_mb']:7.1f} MB  {process['process']}")
    if chosen.json:
        chosen.json.parent.mkdir(parents=True, exist_ok=True)
        chosen.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
