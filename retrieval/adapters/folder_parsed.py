"""Parsed documents in files named by their SHA-256: what citations are checked against."""

from pathlib import Path

from retrieval.adapters.folder_originals import FolderOriginals
from retrieval.adapters.parsed_packing import packed, unpacked
from retrieval.model import ParsedDocument


class FolderParsedTexts:
    """Port `ParsedTexts`, on the same kind of folder as the originals."""

    def __init__(self, folder: Path) -> None:
        """The folder is made when something is stored."""
        self._files = FolderOriginals(folder)

    async def put(self, parsed: ParsedDocument) -> str:
        """Store durably and return the digest. Raises DiskFull."""
        return await self._files.put(packed(parsed))

    async def get(self, digest: str) -> ParsedDocument:
        """The parsed document. Raises NotFound; PermanentFailure when the file is damaged."""
        return unpacked(await self._files.get(digest))

    async def has(self, digest: str) -> bool:
        """Whether the parsed document is there."""
        return await self._files.has(digest)
