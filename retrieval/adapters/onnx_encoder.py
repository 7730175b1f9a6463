"""One text to one vector with onnxruntime, on the thread that calls: shared by the server and the bulk process."""

from pathlib import Path

import numpy as np
import onnxruntime
from onnxruntime.capi.onnxruntime_pybind11_state import Fail, InvalidArgument, RuntimeException

from retrieval.adapters.e5_tokenizer import E5Tokenizer
from retrieval.adapters.model_manifest import check_files
from retrieval.errors import EmbedderUnavailable
from retrieval.model import Matrix

MODEL = "model.onnx"
TOKENIZER = "tokenizer.json"
DIMENSIONS = 384
MAX_TOKENS = 512


def load_tokenizer(folder: Path) -> E5Tokenizer:
    """The tokenizer in `folder`, checked first. Raises ModelFileDamaged."""
    check_files(folder, only=TOKENIZER)
    return E5Tokenizer((folder / TOKENIZER).read_text(encoding="utf-8"))


class OnnxEncoder:
    """The embedder's network. Safe to call from several threads; they run beside each other."""

    def __init__(self, folder: Path, tokenizer: E5Tokenizer) -> None:
        """Load the network. Raises ModelFileDamaged when it is not what the manifest says."""
        check_files(folder, only=MODEL)
        self.tokenizer = tokenizer
        self._session = onnxruntime.InferenceSession(
            str(folder / MODEL), _options(), providers=["CPUExecutionProvider"]
        )

    def encode(self, text: str) -> Matrix:
        """(dimensions,), L2-normalised float32; what goes beyond 512 tokens is cut. Raises EmbedderUnavailable."""
        ids = np.array([self.tokenizer.ids(text, MAX_TOKENS)], np.int64)
        try:
            (vectors,) = self._session.run(["embedding"], {"input_ids": ids})
        except (Fail, InvalidArgument, RuntimeException) as error:
            raise EmbedderUnavailable(f"the embedder's network could not run: {error}") from error
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
