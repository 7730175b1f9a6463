"""How long a company handbook takes from files to found: `lastro serve`, then `lastro add DIR --wait`.

    python tests/bench/handbook_ingest.py [--every 1] [--json reports/handbook_ingest.json]

The handbook is the one in the shared evaluation data (880 Markdown files that are not empty, 6.2 MB). All steps
count: reading, uploading, parsing, cutting, embedding, writing. Memory is that of all processes of the server's tree.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path

import psutil

MB = 2**20
BARS = {"seconds": 300.0, "peak_pss_mb": 2048.0}
ROOT = Path(__file__).resolve().parents[2]


def environment() -> dict[str, str]:
    """Ours without settings of the caller's, on any free port."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("LASTRO_")}
    return {**kept, "LASTRO_SERVER__PORT": "0", "LASTRO_LLM__KIND": "extractive", "LASTRO_LOG_LEVEL": "error"}


def lastro(*words: str) -> list[str]:
    return [sys.executable, "-P", "-m", "api.cli", *words]


def unpack(shared: Path, folder: Path, every: int) -> int:
    """The handbook's files that are not empty, every n-th in path order; returns how many."""
    with tarfile.open(shared / "evaldata/company_sourcegraph/company_sourcegraph.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    files = sorted(path for path in folder.rglob("*.md"))
    full = [path for path in files if path.read_text(encoding="utf-8").strip()]
    kept = set(full[::every])
    for path in files:
        if path not in kept:
            path.unlink()
    return sum(path.is_file() for path in folder.rglob("*"))


class Peak(threading.Thread):
    """The highest memory of a tree of processes, shared pages counted once, and its processor seconds."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.root, self.bytes, self.cpu, self.stopped = psutil.Process(pid), 0, {}, threading.Event()

    def run(self) -> None:
        while not self.stopped.wait(0.5):
            total = 0
            for process in [self.root, *self.root.children(recursive=True)]:
                try:
                    total += process.memory_full_info().pss
                    times = process.cpu_times()
                    self.cpu[process.pid] = times.user + times.system
                except psutil.NoSuchProcess:
                    continue
            self.bytes = max(self.bytes, total)


def measure(every: int, shared: Path) -> dict[str, object]:
    """One load of the handbook into a new data folder."""
    with tempfile.TemporaryDirectory() as folder:
        handbook = Path(folder) / "handbook"
        files = unpack(shared, handbook, every)
        size = sum(path.stat().st_size for path in handbook.rglob("*.md"))
        subprocess.run(lastro("init", "--json"), cwd=folder, env=environment(), check=True, stdout=subprocess.DEVNULL)
        server = subprocess.Popen(lastro("serve"), cwd=folder, env=environment(), stdout=subprocess.PIPE, text=True)
        if server.stdout is None or not (ready := server.stdout.readline()).startswith("Lastro is ready"):
            raise SystemExit("the server did not get ready")
        url = next(word for word in ready.split() if word.startswith("http")).rstrip(".,")
        peak = Peak(server.pid)
        peak.start()
        begun = time.monotonic()
        add = lastro("add", str(handbook), "--label", "internal", "--readers", "everyone", "--wait", "--json")
        added = subprocess.run(
            add, cwd=folder, env={**environment(), "LASTRO_URL": url}, capture_output=True, check=False
        )
        seconds = time.monotonic() - begun
        peak.stopped.set()
        peak.join()
        server.send_signal(signal.SIGTERM)
        server.wait(timeout=60)
        jobs = json.loads(added.stdout)["jobs"]
    return {
        "files": files,
        "mb": round(size / MB, 2),
        "done": sum(job["state"] == "done" for job in jobs),
        "chunks": sum(job.get("chunks", 0) for job in jobs),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(sum(peak.cpu.values()), 1),
        "peak_pss_mb": round(peak.bytes / MB, 1),
        "load": os.getloadavg()[0],
        "cores": os.cpu_count(),
        "bars": BARS,
    }


def main() -> int:
    """Measure, print, write; 1 if a document did not get in."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=int, default=1, help="every n-th file")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    shared = Path(os.environ.get("LASTRO_SHARED", ROOT.parent / "shared"))
    if not shared.is_dir():
        print(f"skipped: no shared data at {shared}")
        return 0
    figures = measure(options.every, shared)
    for name, value in figures.items():
        print(f"{name:14} {value}")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return 0 if figures["done"] == figures["files"] else 1


if __name__ == "__main__":
    sys.exit(main())
