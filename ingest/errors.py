"""What can go wrong with a document. All are permanent: the same bytes fail again.

    PermanentFailure (retrieval)
    └── UnreadableDocument
        ├── EmptyFile  EncryptedFile  DamagedFile  FileTooLarge  WrongExtension
        ├── UnsupportedType  NoTextFound  NeedsOcr  ExpandsTooMuch  TooManyPages
        └── ParserTimedOut  ParserOutOfMemory  ParserCrashed  WorkerCrashed
    SourceUnavailable (temporary)  FileVanished  FileForbidden  InvalidAccessFile (permanent)

The parser's own failures are permanent too: a file that needed more than the limits once will need it again.
"""

from retrieval.errors import PermanentFailure, TemporaryFailure


class UnreadableDocument(PermanentFailure):
    """The document cannot be read."""

    code = "unreadable_document"
    remedy = "Open the file in the program that made it, save it again and add it once more."


class EmptyFile(UnreadableDocument):
    """The file is empty."""

    code = "empty_file"
    remedy = "Check that the file was copied completely, then add it again."


class EncryptedFile(UnreadableDocument):
    """The file is encrypted or protected by a password."""

    code = "encrypted_file"
    remedy = "Remove the password and add the file again."


class DamagedFile(UnreadableDocument):
    """The file is damaged or cut off."""

    code = "damaged_file"


class FileTooLarge(UnreadableDocument):
    """The file is larger than the limit."""

    code = "file_too_large"
    remedy = "Split the document, or raise `ingest.max_file_mb`."


class WrongExtension(UnreadableDocument):
    """The file's content is of another type than its name says."""

    code = "wrong_extension"
    remedy = "Rename the file to the extension of its content, then add it again."


class UnsupportedType(UnreadableDocument):
    """Files of this type cannot be read."""

    code = "unsupported_type"
    remedy = "Convert the document to PDF, DOCX, HTML, Markdown or plain text."


class NoTextFound(UnreadableDocument):
    """There is no text in the document."""

    code = "no_text_found"
    remedy = "Check that the document holds text and not only pictures."


class NeedsOcr(UnreadableDocument):
    """The pages are pictures without a text layer."""

    code = "needs_ocr"
    remedy = "Run text recognition (OCR) on the document and add the result."


class ExpandsTooMuch(UnreadableDocument):
    """The file unpacks to far more than its size, as an attack would."""

    code = "expands_too_much"
    remedy = "If the file is genuine, save it without compression or in parts."


class TooManyPages(UnreadableDocument):
    """The document has more pages than the limit."""

    code = "too_many_pages"
    remedy = "Split the document, or raise `ingest.max_pages`."


class ParserTimedOut(UnreadableDocument):
    """Reading the document took longer than allowed and was stopped."""

    code = "parser_timed_out"
    remedy = "Split or simplify the document, or raise `ingest.parse_seconds`."


class ParserOutOfMemory(UnreadableDocument):
    """Reading the document needed more memory than allowed and was stopped."""

    code = "parser_out_of_memory"
    remedy = "Split or simplify the document, or raise `ingest.parse_memory_mb`."


class ParserCrashed(UnreadableDocument):
    """The parser died while reading the document."""

    code = "parser_crashed"


class WorkerCrashed(UnreadableDocument):
    """The worker died each time it carried out this job."""

    code = "worker_crashed"
    remedy = "Split or simplify the document; or see the worker's log, give it more memory and retry the job."


class SourceUnavailable(TemporaryFailure):
    """The source does not answer."""

    code = "source_unavailable"
    remedy = "Check that the source can be reached and its credentials are right; the job is tried again."


class FileVanished(PermanentFailure):
    """The file was gone when it was to be read."""

    code = "file_vanished"
    remedy = "Add it again if it should still be there."


class FileForbidden(PermanentFailure):
    """The file may not be read."""

    code = "file_forbidden"
    remedy = "Give the user that reads the folder the right to read it, then add it again."


class InvalidAccessFile(PermanentFailure):
    """A folder's `.lastro.toml` cannot be understood, so that nothing below it is added."""

    code = "invalid_access_file"
    remedy = 'Correct the file: `label`, `readers` and `[files."NAME"]` with the same two keys are all it may hold.'
