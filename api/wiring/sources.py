"""The files of folders at the caller's side, each with the access that its folders say."""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from hashlib import sha256
from pathlib import Path

from api.found import Found, Unreadable
from api.settings import Settings
from api.wiring.parsing import MB
from ingest.adapters.folder import FolderSource
from ingest.folder_access import ACCESS_FILE, FolderAccess, read_folder_access
from ingest.model import SourceDocument
from retrieval.access import Access, LabelScale
from retrieval.errors import LastroError


async def files_under(paths: Sequence[Path], settings: Settings) -> AsyncIterator[Found | Unreadable]:
    """Every file that the paths name or hold; what cannot be read comes with the reason."""
    for path in paths:
        root = (path if path.is_dir() else path.parent).absolute()
        source = FolderSource(
            source_name(root), root, settings.scale, settings.tenant, max_bytes=settings.ingest.max_file_mb * MB
        )
        uris = [item.uri async for item in source.discover()] if path.is_dir() else [path.name]
        above = AccessAbove(root, settings.scale)
        for uri in uris:
            try:
                document = await source.fetch(uri)
                yield found(document, document.access or above.of(uri, settings))
            except LastroError as error:
                yield Unreadable(source.name, uri, error.code, error.message, error.hint)


def source_name(root: Path) -> str:
    """The same for a folder whichever way it is named, and another one for another folder of that name."""
    return f"{root.name or 'root'}-{sha256(os.fsencode(root.resolve())).hexdigest()[:8]}"


def found(document: SourceDocument, access: Access | None) -> Found:
    """The document as it is handed in."""
    if access is None:
        return Found(document.source, document.uri, document.data)
    return Found(document.source, document.uri, document.data, access.label.name, tuple(sorted(access.readers)))


class AccessAbove:
    """What the nearest access file above the named folder says. Read once, at the first file that needs it."""

    def __init__(self, root: Path, scale: LabelScale) -> None:
        self.root = root.resolve()
        self.scale = scale
        self.said: tuple[Path, FolderAccess] | None = None
        self.looked = False

    def of(self, uri: str, settings: Settings) -> Access | None:
        """The access of a file below the root, None when no folder above says anything. Raises InvalidAccessFile."""
        if not self.looked:
            self.said = next(self._above(), None)
            self.looked = True
        if self.said is None:
            return None
        folder, access = self.said
        return access.of((self.root / uri).relative_to(folder).as_posix()).access(settings.tenant, self.scale)

    def _above(self) -> Iterator[tuple[Path, FolderAccess]]:
        for folder in self.root.parents:
            file = folder / ACCESS_FILE
            # Others may write into folders above, say the one for temporary files; they must not decide who reads this.
            if not file.is_symlink() and file.is_file() and file.stat().st_uid in {0, os.geteuid()}:
                yield folder, read_folder_access(file.read_bytes(), self.scale, name=str(file))
