"""Cuts a parsed document into passages of about the length the embedder reads best.

Headings and tables begin a new passage, paragraphs are packed up to the limit, what is too long is cut between
sentences (tables between rows), and nothing overlaps. Lengths are counted with the embedder's own tokenizer.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import takewhile

from ingest.cutting import Cutter
from ingest.outline import Stretch, clipped, page_range, stretches
from ingest.token_index import TokenIndex
from retrieval.model import BlockKind, Chunk, DocumentVersion, Language, ParsedDocument, chunk_id
from retrieval.ports import LanguageDetector, Tokenizer

TITLE_CHARACTERS = 120
LEAST_KEPT = 0.5  # share of the limit that a passage keeps when half a sentence moves to the next one
CONTEXTS = 1_024
DETECTED_CHARACTERS = 4_000
TELLING_CHARACTERS = 200  # shorter passages take the document's language: detectors guess on them


class StructureChunker:
    """Port `Chunker`. `max_tokens` holds for a passage's own text, `context_tokens` for title and section path."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        detector: LanguageDetector,
        *,
        max_tokens: int = 350,
        min_tokens: int = 60,
        context_tokens: int = 64,
    ) -> None:
        self._tokenizer = tokenizer
        self._detector = detector
        self._max_tokens = max_tokens
        self._min_tokens = min_tokens
        self._context_tokens = context_tokens

    def __call__(self, parsed: ParsedDocument, version: DocumentVersion) -> Sequence[Chunk]:
        """Passages in order, each an exact slice of the text; together they cover all of it but white space."""
        index = TokenIndex(parsed.text, self._tokenizer)
        cutter = Cutter(parsed.text, index, self._tokenizer, self._max_tokens)
        pieces = [piece for stretch in stretches(parsed) for piece in cutter.pieces(stretch)]
        groups = self._packed(pieces, index, cutter.max_characters)
        return list(self._chunks(groups, parsed, version))

    def _chunks(
        self, groups: Iterable[Sequence[Stretch]], parsed: ParsedDocument, version: DocumentVersion
    ) -> Iterator[Chunk]:
        page_starts = [page.start for page in parsed.pages]
        title = clipped(version.title or parsed.title, TITLE_CHARACTERS)
        context = lru_cache(CONTEXTS)(partial(self._context, title))
        language = self._detector.detect(parsed.text[:DETECTED_CHARACTERS])
        for n, group in enumerate(groups):
            start, end = group[0].start, group[-1].end
            first, last = page_range(parsed.pages, page_starts, start, end)
            shown_title, section = context(_common_path(group))
            yield Chunk(
                id=chunk_id(version.document_id, version.digest, n),
                document_id=version.document_id,
                version=version.digest,
                n=n,
                start=start,
                end=end,
                text=parsed.text[start:end],
                title=shown_title,
                section=section,
                page_first=first,
                page_last=last,
                language=self._language(parsed.text[start:end], language),
            )

    def _packed(self, pieces: Sequence[Stretch], index: TokenIndex, characters: int) -> Iterator[list[Stretch]]:
        group: list[Stretch] = []
        for piece in pieces:
            if group and not self._belongs(group, piece, index, characters):
                kept = self._break(group, piece, index)
                yield group[:kept]
                group = group[kept:]
                if group and not self._fits(group, piece, index, characters):
                    yield group
                    group = []
            group.append(piece)
        if group:
            yield group

    def _belongs(self, group: Sequence[Stretch], piece: Stretch, index: TokenIndex, characters: int) -> bool:
        if not self._fits(group, piece, index, characters):
            return False
        last = group[-1]
        table_edge = (piece.kind is BlockKind.TABLE) != (last.kind is BlockKind.TABLE)
        headings_only = all(member.kind is BlockKind.HEADING for member in group)
        if headings_only or not (piece.kind is BlockKind.HEADING or table_edge):
            return True
        return index.count(group[0].start, last.end) < self._min_tokens

    def _break(self, group: Sequence[Stretch], piece: Stretch, index: TokenIndex) -> int:
        """After how many members to end the group: a heading goes with what follows it, half a sentence does, too."""
        last = len(group)
        following = piece
        while last > 0 and (group[last - 1].kind is BlockKind.HEADING or following.continues):
            last -= 1
            following = group[last]
        enough = last and index.count(group[0].start, group[last - 1].end) >= LEAST_KEPT * self._max_tokens
        only_headings = last and all(member.kind is BlockKind.HEADING for member in group[last:])
        return last if enough or only_headings else len(group)

    def _fits(self, group: Sequence[Stretch], piece: Stretch, index: TokenIndex, characters: int) -> bool:
        start = group[0].start
        if piece.splits_word or group[-1].splits_word:
            return False  # such a piece was measured alone
        return piece.end - start <= characters and index.count(start, piece.end) <= self._max_tokens

    def _context(self, title: str, path: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        """Title and path within the budget: the outermost headings go first, then the end of the title."""
        path = path[1:] if path and path[0] == title else path
        while path and self._tokens(" > ".join((title, *path))) > self._context_tokens:
            path = path[1:]
        tokens = self._tokenizer.offsets(title)
        if len(tokens) > self._context_tokens:
            title = title[: tokens[self._context_tokens - 1][1]]
        return title, path

    def _tokens(self, text: str) -> int:
        return len(self._tokenizer.offsets(text))

    def _language(self, text: str, document: Language) -> Language:
        return self._detector.detect(text) if len(text) >= TELLING_CHARACTERS else document


def _common_path(group: Sequence[Stretch]) -> tuple[str, ...]:
    shared = zip(*(piece.path for piece in group), strict=False)
    return tuple(names[0] for names in takewhile(lambda names: len(set(names)) == 1, shared))
