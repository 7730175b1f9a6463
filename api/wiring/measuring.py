"""The library as it is measured: the real parts, in a folder of their own that is thrown away."""

import tempfile
from pathlib import Path

from api.folder import DataFolder
from api.settings import Settings
from api.wiring.application import stock
from api.wiring.tree import index
from retrieval.evaluation import RetrievalFigures, evaluate_retrieval, in_language
from retrieval.model import Language


async def measure_retrieval(
    settings: Settings, folder: Path, *, split: str, language: Language | None, limit: int | None
) -> RetrievalFigures:
    """Figures of one collection, asked in `language` if that is given. Raises PermanentFailure."""
    with tempfile.TemporaryDirectory(prefix="lastro-evaluate-") as place:
        # Collections are public; the labels of this installation have no say in them.
        fields = Settings.model_fields
        own = settings.model_copy(
            update={"data_dir": Path(place) / "data", "database_url": "", "labels": fields["labels"].default}
        )
        data = DataFolder(own.data_dir)
        data.make()
        async with index(own, data) as socket_path, stock(own, socket_path) as held:
            made = held.encoders
            rephrase = in_language(made.translator, made.detector, language) if language else None
            return await evaluate_retrieval(
                folder, split=split, library=held.library, index=made.chunker(), rephrase=rephrase, limit=limit
            )
