"""Try the answering path against a real vLLM on the CPU: `make test-vllm`.

    python tests/vllm/run.py [--folder DIR]

Builds an environment of its own (3 GB; pip must be able to find the CPU build of torch), converts a model of 135
million parameters, starts `vllm serve` on loopback, and runs the adapter's contract suite and the tests of this folder
against it. Only the protocol is tried: so small a model knows nothing. Readiness takes one to five minutes.
"""

import argparse
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from environment import MODEL, cache_folder, environment, model

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
READY_SECONDS = 420
SUITES = ["tests/contract/test_chat_model.py", "tests/vllm"]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def served(programs: Path, folder: Path, key: str, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`vllm serve` and its address, from when it is ready until the end."""
    port = free_port()
    options = ["--served-model-name", MODEL, "--host", "127.0.0.1", "--port", str(port), "--max-model-len", "4096"]
    options += ["--max-num-seqs", "4", "--enforce-eager", "--api-key", key]
    quiet = {"HF_HUB_OFFLINE": "1", "VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1"}
    sizes = {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_CPU_OMP_THREADS_BIND": "0"}
    variables = os.environ | quiet | sizes | {"PATH": f"{programs}:{os.environ['PATH']}"}
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(programs / "vllm"), "serve", str(folder), *options],
            env=variables,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            wait_until_ready(process, f"http://127.0.0.1:{port}", log)
            yield process, f"http://127.0.0.1:{port}"
        finally:
            end(process)


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    """Return when it answers; stop with the end of its log if it never does."""
    begun = time.monotonic()
    while time.monotonic() - begun < READY_SECONDS:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                print(f"vLLM ready after {time.monotonic() - begun:.0f} s", flush=True)
                return
        except (urllib.error.URLError, OSError):
            time.sleep(1)
    raise SystemExit(f"vLLM did not become ready:\n{log.read_text(errors='replace')[-3000:]}")


def end(process: subprocess.Popen[bytes]) -> None:
    """End the server with its workers: its own process group."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait()


def main() -> int:
    """Build, serve, test; the exit code is that of the tests."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, default=cache_folder())
    options = parser.parse_args()
    programs = environment(options.folder / "vllm-venv")
    folder = model(options.folder / "models" / MODEL, programs / "python")
    key, log = secrets.token_urlsafe(), options.folder / "vllm.log"
    with served(programs, folder, key, log) as (process, url):
        variables = os.environ | {
            "LASTRO_TEST_VLLM_URL": url,
            "LASTRO_TEST_VLLM_MODEL": MODEL,
            "LASTRO_TEST_VLLM_KEY": key,
            "LASTRO_TEST_VLLM_PID": str(process.pid),
        }
        command = [sys.executable, "-m", "pytest", "-m", "vllm", "-p", "no:cacheprovider", "-v", *SUITES]
        return subprocess.run(command, cwd=ROOT, env=variables, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
