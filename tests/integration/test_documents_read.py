"""Documents nobody here wrote: each gives its text or the right refusal, within its limits."""

import csv
import re
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import pytest_asyncio

from ingest.adapters.file_types import extension_of
from ingest.adapters.formats import BY_EXTENSION
from ingest.adapters.parser_process import ProcessParser
from ingest.chunking import StructureChunker
from ingest.errors import EncryptedFile, NeedsOcr, UnreadableDocument, UnsupportedType, WrongExtension
from ingest.model import ParseLimits
from retrieval.access import Access
from retrieval.adapters.memory_encoders import WordTokenizer
from retrieval.adapters.onnx_encoder import load_tokenizer
from retrieval.model import DocumentVersion, Language, ParsedDocument, document_id

SECONDS = 30
EXACT = {
    "encrypted.docx": EncryptedFile,
    "encrypted.xlsx": EncryptedFile,
    "encrypted.odt": EncryptedFile,
    "encrypted_password.pdf": EncryptedFile,
    "docx_named.pdf": WrongExtension,
    "pdf_named.docx": WrongExtension,
    "png_named.txt": WrongExtension,
    "exe_header_named.docx": WrongExtension,
    "random.bin": UnsupportedType,
}


@dataclass(frozen=True)
class Sample:
    file: str
    expected: str
    phrase: str

    @property
    def supported(self) -> bool:
        return extension_of(self.file) in BY_EXTENSION


def samples(folder: Path, *expected: str, hostile: bool) -> list[Sample]:
    with (folder / "documents" / "MANIFEST.tsv").open(encoding="utf-8", newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    found = [Sample(row["file"], row["expected"], row["phrase"]) for row in rows if row["sha256"] != "-"]
    return [one for one in found if one.expected in expected and one.file.startswith("hostile/") is hostile]


@pytest_asyncio.fixture
async def parser() -> AsyncIterator[ProcessParser]:
    made = ProcessParser(ParseLimits(cpu_seconds=SECONDS, wall_seconds=SECONDS))
    yield made
    await made.close()


class English:
    def detect(self, text: str) -> Language:
        return "en"


def plain(text: str) -> str:
    return re.sub(r"\s+", " ", text)


def version_of(parsed: ParsedDocument, uri: str) -> DocumentVersion:
    access = Access("t", frozenset({"everyone"}), "public")
    document = document_id("t", "s", uri)
    return DocumentVersion(document, "sha256:0", "s", uri, parsed.title, parsed.media_type, 1, access)


def check_chunks(parsed: ParsedDocument, uri: str) -> None:
    tokenizer = WordTokenizer()
    chunks = StructureChunker(tokenizer, English())(parsed, version_of(parsed, uri))
    assert "".join("".join(chunk.text for chunk in chunks).split()) == "".join(parsed.text.split())
    for chunk in chunks:
        assert chunk.text == parsed.text[chunk.start : chunk.end]
        assert len(tokenizer.offsets(chunk.text)) <= 350
        assert len(tokenizer.offsets(chunk.encoded_text)) <= 350 + 64


async def test_every_supported_document_gives_its_text_and_fits_the_embedder(
    shared: Path, parser: ProcessParser
) -> None:
    found = [one for one in samples(shared, "text", hostile=False) if one.supported]
    assert len(found) >= 50
    missing = []
    for sample in found:
        parsed = await parser.parse((shared / "documents" / sample.file).read_bytes(), sample.file)
        if plain(sample.phrase) not in plain(parsed.text):
            missing.append(sample.file)
        check_chunks(parsed, sample.file)
    assert missing == []


def parser_children() -> list[psutil.Process]:
    """The parser's running processes; other tests' children do not count."""
    found = psutil.Process().children()
    alive = [child for child in found if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in alive if "ingest.adapters.parser_child" in child.cmdline()]


async def test_scans_are_sent_to_text_recognition(shared: Path, parser: ProcessParser) -> None:
    found = [one for one in samples(shared, "ocr", hostile=False) if one.file.endswith(".pdf")]
    assert len(found) == 4
    for sample in found:
        with pytest.raises(NeedsOcr):
            await parser.parse((shared / "documents" / sample.file).read_bytes(), sample.file)


async def test_other_types_are_refused_by_name(shared: Path, parser: ProcessParser) -> None:
    found = [one for one in samples(shared, "text", "ocr", hostile=False) if not one.supported]
    assert found
    for sample in found:
        with pytest.raises(UnsupportedType, match=re.escape(extension_of(sample.file))):
            await parser.parse((shared / "documents" / sample.file).read_bytes(), sample.file)


async def test_hostile_documents_end_in_an_error_of_ours_and_leave_nothing(shared: Path, parser: ProcessParser) -> None:
    found = samples(shared, "refuse", hostile=True)
    assert len(found) >= 25
    for sample in found:
        name = sample.file.removeprefix("hostile/")
        started = time.monotonic()
        with pytest.raises(EXACT.get(name, UnreadableDocument)):
            await parser.parse((shared / "documents" / sample.file).read_bytes(), name)
        assert time.monotonic() - started < SECONDS
        assert [leftover for child in parser_children() for leftover in Path(child.cwd()).iterdir()] == []


async def test_hostile_documents_that_may_be_read_are_read_or_refused(shared: Path, parser: ProcessParser) -> None:
    for sample in samples(shared, "text", hostile=True):
        data = (shared / "documents" / sample.file).read_bytes()
        try:
            assert plain(sample.phrase) in plain((await parser.parse(data, sample.file)).text)
        except UnsupportedType:
            assert not sample.supported


async def test_of_a_page_only_the_visible_words_are_read(shared: Path, parser: ProcessParser) -> None:
    parsed = await parser.parse((shared / "documents/html/hidden_text.html").read_bytes(), "hidden_text.html")
    assert re.findall(r"[A-Z]+[0-9]{2}", parsed.text) == ["HIDDEN13", "VISIBLE99"]
    assert any(warning.startswith("hidden passages removed: 8") for warning in parsed.warnings)


async def test_a_book_is_read_at_300_pages_a_second_and_more(shared: Path, parser: ProcessParser) -> None:
    data = (shared / "documents/pdf/trustee_handbook_478p.pdf").read_bytes()
    await parser.parse(b"words", "warm.txt")
    (child,) = parser_children()
    before = sum(child.cpu_times()[:2])
    parsed = await parser.parse(data, "book.pdf")
    assert len(parsed.pages) == 478
    assert 478 / (sum(child.cpu_times()[:2]) - before) >= 300


async def test_what_stands_in_content_controls_is_read(shared: Path, parser: ProcessParser) -> None:
    file = shared / "documents/docx/content_control_with_picture.docx"
    parsed = await parser.parse(file.read_bytes(), file.name)
    assert "COVER TITLE INSIDE SDT" in parsed.text
    assert "BODY TEXT OUTSIDE SDT" in parsed.text


@pytest.mark.models
async def test_passages_fit_the_embedder_s_own_limit(shared: Path, parser: ProcessParser, model_cache: Path) -> None:
    folders = sorted(model_cache.glob("embedder-*"))
    if not folders:
        pytest.skip("the embedder is not fetched; run `lastro models pull`")
    tokenizer = load_tokenizer(folders[-1])
    for name in ("pdf/two_column_cfr_1308_19p.pdf", "md/18f_travel_guide_faq.md", "pt/lei_11340.latin1.txt"):
        parsed = await parser.parse((shared / "documents" / name).read_bytes(), name)
        chunks = StructureChunker(tokenizer, English())(parsed, version_of(parsed, name))
        assert max(len(tokenizer.offsets(chunk.text)) for chunk in chunks) <= 350
        assert max(len(tokenizer.offsets(f"passage: {chunk.encoded_text}")) for chunk in chunks) + 2 <= 512
