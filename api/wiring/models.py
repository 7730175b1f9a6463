"""Model files: which there are, which the settings need, fetching with progress."""

import sys

from api.settings import Settings
from retrieval.adapters.model_files import FolderModelFiles, Progress
from retrieval.errors import ModelFileDamaged

EMBEDDER = "embedder"
CHAT = "qwen2.5-coder-1.5b-instruct-q4_k_m"


class ModelStore(FolderModelFiles):
    """The model files of these settings."""

    def __init__(self, settings: Settings, progress: Progress | None = None) -> None:
        super().__init__(settings.models_dir, progress=progress)
        self.settings = settings

    def names(self) -> list[str]:
        """Every model that Lastro knows."""
        return list(self.pins)

    def wanted(self) -> list[str]:
        """What the settings can use; `auto` takes the language model when it is there."""
        names = [EMBEDDER] if self.settings.embedder.kind == "onnx" else []
        llm = self.settings.llm
        return [*names, CHAT] if llm.kind == "llama-cpp" or (llm.kind == "auto" and not llm.url) else names

    def needed(self) -> list[str]:
        """What must be there, and what is there anyway."""
        optional = {CHAT} if self.settings.llm.kind == "auto" else set()
        return [name for name in self.wanted() if name not in optional or self.present(name)]

    async def state(self, name: str) -> str:
        """`ok`, `missing` or `damaged`, by the files' content."""
        if self.present(name) is None:
            return "missing"
        try:
            await self.verify(name)
        except ModelFileDamaged:
            return "damaged"
        return "ok"


def to_stderr(name: str, done: int, total: int) -> None:
    """Progress as one line that renews itself, or as few lines where nobody watches."""
    share = 100 * done // max(total, 1)
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{name}: {share:3d} % of {total / 2**20:,.0f} MB" + ("\n" if done >= total else ""))
        sys.stderr.flush()
    elif done >= total:
        sys.stderr.write(f"{name}: {total / 2**20:,.0f} MB\n")
