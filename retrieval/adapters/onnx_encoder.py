"""One text to one vector with onnxruntime, on the thread that calls: shared by the server and the bulk process."""

from pathlib import Path

import numpy as np
import onnxruntime

from retrieval.adapters.e5_tokenizer import E5Tokenizer
from retrieval.adapters.model_manifest import check_files
from retrieval.model import Matrix

MODEL = "model.onnx"
TOKENIZER = "tokenizer.json"
DIMENSIONS = 384
MAX_TOKENS = 512


class OnnxEncoder:
    """The embedder's network and tokenizer. Safe to call from several threads; they run beside each other."""

    def __init__(self, folder: Path) -> None:
        """Load both files (0.1 s, 90 MB). Raises ModelFileDamaged when they are not what the manifest says."""
        check_files(folder)
        self.tokenizer = E5Tokenizer((folder / TOKENIZER).read_text(encoding="utf-8"))
        self._session = onnxruntime.InferenceSession(
            str(folder / MODEL), _options(), providers=["CPUExecutionProvider"]
        )

    def encode(self, text: str) -> Matrix:
        """(dimensions,), L2-normalised float32; what goes beyond 512 tokens is cut."""
        ids = np.array([self.tokenizer.ids(text, MAX_TOKENS)], np.int64)
        (vectors,) = self._session.run(["embedding"], {"input_ids": ids})
        vector: Matrix = vectors[0]
        return vector


def _options() -> onnxruntime.SessionOptions:
    """Two callers with one thread each beat one caller with two, and a spinning thread burns a shared core."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # The extended level would fuse the layer normalisation into a form that is five times slower.
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    return options
