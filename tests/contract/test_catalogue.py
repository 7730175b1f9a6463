"""What every catalogue promises: the twin in memory, SQLite and PostgreSQL."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from retrieval.access import Access, Label, LabelScale, Principal
from retrieval.errors import NotFound, PermanentFailure
from retrieval.model import (
    Chunk,
    DocumentVersion,
    EmbedderIdentity,
    IndexIdentity,
    SearchFilters,
    StoredDocument,
    StoredFiles,
    chunk_id,
    digest_of,
    document_id,
)
from retrieval.ports import Catalogue

SCALE = LabelScale()
START = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)
EVERYTHING = SearchFilters()
OPEN = Access("acme", frozenset({"everyone"}), SCALE.lowest)
ANA = Principal("acme", "ana", frozenset({"hr"}), SCALE.highest)
STRANGER = Principal("other", "ana", frozenset({"hr"}), SCALE.highest)
# "2026-01-01 " and a UUID of zeros: a time without a zone.
NAIVE = "MjAyNi0wMS0wMSAwMDAwMDAwMC0wMDAwLTAwMDAtMDAwMC0wMDAwMDAwMDAwMDA="
INDEX = IndexIdentity(EmbedderIdentity("e5", 4, 512, "sha256:w"), "bm25/1")


def a_version(
    uri: str = "a.txt", data: bytes = b"one", *, access: Access = OPEN, source: str = "files"
) -> DocumentVersion:
    return DocumentVersion(
        document_id(access.tenant, source, uri),
        digest_of(data),
        source,
        uri,
        f"About {uri}",
        "text/plain",
        len(data),
        access,
        "ana",
        START,
    )


def chunks_of(version: DocumentVersion, count: int = 2, language: str = "en") -> list[Chunk]:
    return [
        Chunk(
            chunk_id(version.document_id, version.digest, n),
            version.document_id,
            version.digest,
            n,
            n * 10,
            n * 10 + 9,
            f"text {n} of {version.digest[:10]} 'quoted' \N{SNOWMAN}",
            version.title,
            ("Part", f"§ {n}"),
            n + 1,
            n + 2,
            "pt" if language == "pt" else "en",
        )
        for n in range(count)
    ]


def ids(chunks: Sequence[Chunk]) -> list[UUID]:
    return [chunk.id for chunk in chunks]


async def commit(catalogue: Catalogue, version: DocumentVersion, count: int = 2, language: str = "en") -> list[Chunk]:
    chunks = chunks_of(version, count, language)
    await catalogue.commit_version(version, chunks, parsed=digest_of(b"parsed " + version.digest.encode()), pages=3)
    return chunks


async def visible(catalogue: Catalogue, chunks: Sequence[Chunk], reader: Principal = ANA) -> set[UUID]:
    return set(await catalogue.current(ids(chunks), reader=reader, filters=EVERYTHING))


async def test_a_committed_version_is_current_and_complete(catalogue: Catalogue) -> None:
    version = a_version()
    chunks = await commit(catalogue, version)
    assert await visible(catalogue, chunks) == set(ids(chunks))
    passages = await catalogue.passages(dict.fromkeys(ids(chunks), 0.5), reader=ANA)
    assert {passage.chunk for passage in passages} == set(chunks)
    assert {(passage.uri, passage.source, passage.access, passage.score) for passage in passages} == {
        ("a.txt", "files", OPEN, 0.5)
    }
    entry = await catalogue.document(version.document_id, reader=ANA)
    assert (entry.version, entry.chunks, entry.pages) == (version, 2, 3)
    assert entry.added == entry.updated
    assert entry.added > START


async def test_passages_come_best_first_and_ties_by_chunk_id(catalogue: Catalogue) -> None:
    chunks = await commit(catalogue, a_version(), count=6)
    scores = {chunk.id: 1.0 if chunk.n == 4 else 0.25 for chunk in chunks}
    found = [passage.chunk.id for passage in await catalogue.passages(scores, reader=ANA)]
    best = chunks[4].id
    assert found == [best, *sorted(set(ids(chunks)) - {best})]


async def test_a_new_version_replaces_the_old_one_at_once(catalogue: Catalogue) -> None:
    old, new = a_version(data=b"one"), a_version(data=b"two")
    old_chunks = await commit(catalogue, old)
    first = await catalogue.document(old.document_id, reader=ANA)
    replaced = await catalogue.commit_version(new, chunks_of(new, 3), parsed=digest_of(b"p2"), pages=1)
    assert replaced == old.digest
    assert await visible(catalogue, old_chunks) == set()
    assert await catalogue.passages(dict.fromkeys(ids(old_chunks), 1.0), reader=ANA) == []
    assert await visible(catalogue, [*old_chunks, *chunks_of(new, 3)]) == set(ids(chunks_of(new, 3)))
    entry = await catalogue.document(old.document_id, reader=ANA)
    assert (entry.version, entry.chunks, entry.pages, entry.added) == (new, 3, 1, first.added)
    assert entry.updated > first.updated


async def test_the_first_version_replaces_none_and_repeating_changes_nothing(catalogue: Catalogue) -> None:
    version = a_version()
    chunks = chunks_of(version)
    for _ in range(3):
        replaced = await catalogue.commit_version(version, chunks, parsed=digest_of(b"p"), pages=1)
        assert replaced is None
    entry = await catalogue.document(version.document_id, reader=ANA)
    assert entry.updated == entry.added
    assert await visible(catalogue, chunks) == set(ids(chunks))


async def test_the_same_version_cut_anew_keeps_only_the_new_chunks(catalogue: Catalogue) -> None:
    version = a_version()
    many = await commit(catalogue, version, count=5)
    await commit(catalogue, version, count=2)
    assert await visible(catalogue, many) == set(ids(many[:2]))
    assert (await catalogue.versions())[version.document_id].chunks == 2


async def test_committing_anew_takes_over_access_and_title(catalogue: Catalogue) -> None:
    version = a_version()
    chunks = await commit(catalogue, version)
    closed = replace(version, access=replace(OPEN, readers=frozenset({"user:bob"})), title="Renamed")
    await commit(catalogue, closed)
    assert await visible(catalogue, chunks) == set()
    bob = Principal("acme", "bob", frozenset(), SCALE.lowest)
    assert (await catalogue.document(version.document_id, reader=bob)).version == closed


@pytest.mark.parametrize(
    ("access", "reader", "may"),
    [
        (OPEN, ANA, True),
        (OPEN, STRANGER, False),
        (replace(OPEN, readers=frozenset()), ANA, False),
        (replace(OPEN, readers=frozenset({"group:hr", "group:it"})), ANA, True),
        (replace(OPEN, readers=frozenset({"group:it", "user:bob"})), ANA, False),
        (replace(OPEN, label=SCALE.highest), replace(ANA, clearance=SCALE.label("internal")), False),
        (replace(OPEN, label=SCALE.label("internal")), replace(ANA, clearance=SCALE.label("internal")), True),
        (OPEN, replace(ANA, user=""), False),
        # What has left the scale counts as the highest label.
        (replace(OPEN, label=Label(0, "withdrawn")), replace(ANA, clearance=SCALE.label("confidential")), False),
        (replace(OPEN, label=Label(0, "withdrawn")), ANA, True),
    ],
)
async def test_every_read_asks_for_the_reader_s_rights(
    catalogue: Catalogue, access: Access, reader: Principal, may: bool
) -> None:
    version = a_version(access=access)
    chunks = await commit(catalogue, version)
    assert await visible(catalogue, chunks, reader) == (set(ids(chunks)) if may else set())
    assert bool(await catalogue.passages({chunks[0].id: 1.0}, reader=reader)) is may
    assert bool((await catalogue.list_documents(reader=reader)).items) is may
    for read in (
        catalogue.document(version.document_id, reader=reader),
        catalogue.parsed_digest(version.document_id, None, reader=reader),
    ):
        if may:
            await read
        else:
            with pytest.raises(NotFound):
                await read


async def test_a_foreign_document_and_a_missing_one_look_alike(catalogue: Catalogue) -> None:
    foreign = a_version(access=replace(OPEN, readers=frozenset({"user:bob"})))
    await commit(catalogue, foreign)
    seen = []
    for document in (foreign.document_id, uuid4()):
        for call in (
            catalogue.document(document, reader=ANA),
            catalogue.delete(document, reader=ANA),
            catalogue.set_access(document, OPEN, reader=ANA),
            catalogue.parsed_digest(document, foreign.digest, reader=ANA),
        ):
            with pytest.raises(NotFound) as failure:
                await call
            seen.append((failure.value.message, failure.value.hint))
    assert len(set(seen)) == 1
    assert len(await catalogue.versions()) == 1


async def test_changing_access_acts_on_the_next_read(catalogue: Catalogue) -> None:
    version = a_version()
    chunks = await commit(catalogue, version)
    narrow = Access("acme", frozenset({"user:ana"}), SCALE.label("confidential"))
    await catalogue.set_access(version.document_id, narrow, reader=ANA)
    other = Principal("acme", "bob", frozenset({"hr"}), SCALE.highest)
    assert await visible(catalogue, chunks, other) == set()
    entry = await catalogue.document(version.document_id, reader=ANA)
    assert entry.version.access == narrow
    assert entry.updated > entry.added


async def test_a_document_stays_with_its_tenant(catalogue: Catalogue) -> None:
    version = a_version()
    await commit(catalogue, version)
    with pytest.raises(PermanentFailure, match="another tenant"):
        await catalogue.set_access(version.document_id, replace(OPEN, tenant="other"), reader=ANA)
    assert (await catalogue.document(version.document_id, reader=ANA)).version.access == OPEN


async def test_a_deleted_document_is_gone_with_all_that_belongs_to_it(catalogue: Catalogue) -> None:
    version, kept = a_version(), a_version("b.txt")
    chunks, others = await commit(catalogue, version), await commit(catalogue, kept)
    await catalogue.delete(version.document_id, reader=ANA)
    assert await visible(catalogue, [*chunks, *others]) == set(ids(others))
    assert set(await catalogue.versions()) == {kept.document_id}
    assert {files.document_id for files in await catalogue.files()} == {kept.document_id}
    with pytest.raises(NotFound):
        await catalogue.parsed_digest(version.document_id, version.digest, reader=ANA)
    with pytest.raises(NotFound):
        await catalogue.delete(version.document_id, reader=ANA)
    assert await commit(catalogue, version)


async def test_an_older_version_can_be_opened_by_who_may_read_the_document_now(catalogue: Catalogue) -> None:
    old, new = a_version(data=b"one"), a_version(data=b"two", access=replace(OPEN, readers=frozenset({"user:bob"})))
    await commit(catalogue, old)
    await commit(catalogue, new)
    bob = Principal("acme", "bob", frozenset(), SCALE.lowest)
    parsed = {digest: digest_of(b"parsed " + digest.encode()) for digest in (old.digest, new.digest)}
    assert await catalogue.parsed_digest(old.document_id, old.digest, reader=bob) == (old.digest, parsed[old.digest])
    assert await catalogue.parsed_digest(old.document_id, None, reader=bob) == (new.digest, parsed[new.digest])
    for version in (old.digest, "sha256:unknown"):
        with pytest.raises(NotFound):
            await catalogue.parsed_digest(old.document_id, version, reader=ANA)
    with pytest.raises(NotFound):
        await catalogue.parsed_digest(old.document_id, "sha256:unknown", reader=bob)
    files = {StoredFiles(old.document_id, digest, text) for digest, text in parsed.items()}
    assert set(await catalogue.files()) == files


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (SearchFilters(sources=frozenset({"wiki"})), {"Hr/b.md"}),
        (SearchFilters(sources=frozenset({"wiki", "files"})), {"hr/a.txt", "Hr/b.md", "x_y.txt"}),
        (SearchFilters(media_types=frozenset({"text/markdown"})), {"Hr/b.md"}),
        (SearchFilters(uri_prefix="hr/"), {"hr/a.txt"}),
        (SearchFilters(uri_prefix="x_"), {"x_y.txt"}),
        (SearchFilters(uri_prefix="%"), set()),
        (SearchFilters(sources=frozenset({"files"}), uri_prefix="Hr"), set()),
    ],
)
async def test_filters_narrow_what_is_current(catalogue: Catalogue, filters: SearchFilters, found: set[str]) -> None:
    versions = [
        a_version("hr/a.txt"),
        replace(a_version("Hr/b.md", source="wiki"), media_type="text/markdown"),
        a_version("x_y.txt"),
    ]
    chunks = {version.uri: await commit(catalogue, version) for version in versions}
    asked = [chunk.id for some in chunks.values() for chunk in some]
    kept = await catalogue.current(asked, reader=ANA, filters=filters)
    assert kept == {chunk for uri in found for chunk in ids(chunks[uri])}


async def test_unknown_and_repeated_chunks_are_no_trouble(catalogue: Catalogue) -> None:
    chunks = await commit(catalogue, a_version())
    asked = [uuid4(), *ids(chunks), *ids(chunks)]
    assert await catalogue.current(asked, reader=ANA, filters=EVERYTHING) == set(ids(chunks))
    assert await catalogue.current([], reader=ANA, filters=EVERYTHING) == frozenset()
    assert await catalogue.passages({}, reader=ANA) == []


async def test_very_many_chunks_can_be_asked_for_at_once(catalogue: Catalogue) -> None:
    chunks = await commit(catalogue, a_version())
    asked = [*(UUID(int=n) for n in range(70_000)), *ids(chunks)]
    assert await catalogue.current(asked, reader=ANA, filters=EVERYTHING) == set(ids(chunks))


async def test_the_list_is_newest_first_and_its_pages_join_without_gap(catalogue: Catalogue) -> None:
    for n in range(7):
        access = replace(OPEN, readers=frozenset({"everyone", "group:hr", "user:ana"})) if n % 3 else OPEN
        await commit(catalogue, a_version(f"{n}.txt", access=access))
    await commit(catalogue, a_version("hidden.txt", access=replace(OPEN, readers=frozenset({"user:bob"}))))
    uris: list[str] = []
    cursor: str | None = None
    for size in (3, 3, 1):
        page = await catalogue.list_documents(reader=ANA, cursor=cursor, limit=3)
        assert len(page.items) == size
        uris += [entry.version.uri for entry in page.items]
        cursor = page.cursor
    assert cursor is None
    assert uris == [f"{n}.txt" for n in reversed(range(7))]


async def test_the_list_can_be_narrowed_to_a_source(catalogue: Catalogue) -> None:
    await commit(catalogue, a_version("a.txt"))
    await commit(catalogue, a_version("b.txt", source="wiki"))
    page = await catalogue.list_documents(reader=ANA, source="wiki", limit=0)
    assert [entry.version.uri for entry in page.items] == ["b.txt"]
    assert page.cursor is None


@pytest.mark.parametrize("cursor", ["", "x", "bm90IG91cnM=", "é", "MTIgMzQ=", NAIVE])
async def test_a_cursor_that_is_not_ours_is_not_found(catalogue: Catalogue, cursor: str) -> None:
    with pytest.raises(NotFound, match="no such page"):
        await catalogue.list_documents(reader=ANA, cursor=cursor)


async def test_versions_and_languages_tell_what_there_is(catalogue: Catalogue) -> None:
    assert await catalogue.languages("acme") == frozenset()
    english, portuguese = a_version("a.txt"), a_version("b.txt")
    await commit(catalogue, english)
    assert await catalogue.languages("acme") == {"en"}
    await commit(catalogue, portuguese, count=4, language="pt")
    assert await catalogue.languages("acme") == {"en", "pt"}
    assert await catalogue.languages("other") == frozenset()
    assert await catalogue.versions() == {
        english.document_id: StoredDocument(english.document_id, english.digest, 2),
        portuguese.document_id: StoredDocument(portuguese.document_id, portuguese.digest, 4),
    }


async def test_what_was_written_can_be_read_for_embedding_it_again(catalogue: Catalogue) -> None:
    version = a_version(access=replace(OPEN, readers=frozenset()))
    chunks = await commit(catalogue, version, count=12)
    assert await catalogue.written(version.document_id) == (version, chunks)
    with pytest.raises(NotFound):
        await catalogue.written(uuid4())


async def test_the_identity_is_written_down_once(catalogue: Catalogue) -> None:
    other = replace(INDEX, sparse="bm25/2")
    assert set(await asyncio.gather(*(catalogue.identity(INDEX) for _ in range(4)))) == {INDEX}
    assert await catalogue.identity(other) == INDEX


async def test_a_reader_sees_all_of_the_old_version_or_all_of_the_new_one(catalogue: Catalogue) -> None:
    versions = [a_version(data=b"one"), a_version(data=b"two")]
    whole = [frozenset(ids(chunks_of(version, 20))) for version in versions]
    await commit(catalogue, versions[0], 20)
    writing = True

    async def look() -> set[frozenset[UUID]]:
        seen = set()
        while writing:
            seen.add(await catalogue.current([*whole[0], *whole[1]], reader=ANA, filters=EVERYTHING))
            scores = dict.fromkeys([*whole[0], *whole[1]], 1.0)
            seen.add(frozenset(passage.chunk.id for passage in await catalogue.passages(scores, reader=ANA)))
            await asyncio.sleep(0)
        return seen

    looking = asyncio.gather(*(look() for _ in range(2)))
    for n in range(1, 12):
        await commit(catalogue, versions[n % 2], 20)
        await asyncio.sleep(0)
    writing = False
    assert set().union(*await looking) <= set(whole)


async def test_two_writers_of_one_document_leave_one_whole_version(catalogue: Catalogue) -> None:
    versions = [a_version(data=bytes([n])) for n in range(5)]
    await asyncio.gather(*(commit(catalogue, version, 3 + n) for n, version in enumerate(versions)))
    entry = await catalogue.document(versions[0].document_id, reader=ANA)
    winner = versions.index(entry.version)
    every = [chunk for n, version in enumerate(versions) for chunk in chunks_of(version, 3 + n)]
    assert await visible(catalogue, every) == set(ids(chunks_of(versions[winner], 3 + winner)))
    assert len(await catalogue.files()) == 5


async def test_closing_twice_is_harmless(catalogue: Catalogue) -> None:
    await catalogue.close()
    await catalogue.close()
