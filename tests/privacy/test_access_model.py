"""Long random lives of a library against a plain model of who may read what: nothing forbidden, nothing missing.

Every version of every document holds a word that stands nowhere else. Whatever a reader is given, in passages, lists,
stored texts, prompts, drafts, answers and citations, is searched for these words after every change.
"""

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from random import Random
from uuid import UUID, uuid4

import pytest

from retrieval.access import Access, LabelScale, Principal
from retrieval.adapters.bm25 import Bm25Encoder
from retrieval.adapters.folder_originals import FolderOriginals
from retrieval.adapters.folder_parsed import FolderParsedTexts
from retrieval.adapters.memory_encoders import MemoryEmbedder
from retrieval.adapters.memory_vectors import MemoryVectorStore
from retrieval.adapters.sql_catalogue import SqlCatalogue
from retrieval.adapters.sql_database import Database
from retrieval.adapters.word_evidence import WordEvidenceDetector
from retrieval.errors import NotFound, PermanentFailure
from retrieval.library import Library
from retrieval.model import Chunk, DocumentVersion, ParsedDocument, chunk_id, document_id
from serving.adapters.extractive import ExtractiveModel
from serving.adapters.scripted import ScriptedModel
from serving.answering import Answering, AnsweringSettings
from serving.model import Prompt, Question
from serving.ports import ChatModel

SCALE = LabelScale()
CANARY = re.compile(r"canary[0-9]+x")
STEPS = 150
GENERAL = "What is the code word of the north office?"
GROUPS = ["hr", "sales", "board"]
NAMES = ["ana", "bob", "eva", "rui"]
READERS = ["everyone", *(f"group:{name}" for name in GROUPS), *(f"user:{name}" for name in NAMES)]


@dataclass
class Known:
    """What the model knows of a document: its access, and the canaries of its versions, the current one last."""

    access: Access
    canaries: dict[str, str] = field(default_factory=dict)  # digest -> canary
    current: str = ""


@dataclass
class World:
    """The library, and beside it the model."""

    library: Library
    originals: FolderOriginals
    random: Random
    numbers: Iterator[int] = field(default_factory=lambda: count(10_000))
    documents: dict[UUID, Known] = field(default_factory=dict)
    ever: dict[str, UUID] = field(default_factory=dict)  # canary -> its document, for ever
    digests: dict[str, UUID] = field(default_factory=dict)  # of every version there ever was
    people: list[Principal] = field(default_factory=list)

    def may(self, who: Principal, document: UUID) -> bool:
        """The rule, written a second time in other words."""
        known = self.documents.get(document)
        if known is None or not who.user or known.access.tenant != who.tenant:
            return False
        if SCALE.names.index(known.access.label.name) > SCALE.names.index(who.clearance.name):
            return False
        answers_to = ["everyone", "user:" + who.user] + ["group:" + name for name in who.groups]
        return any(name in known.access.readers for name in answers_to)

    def readable(self, who: Principal) -> dict[UUID, Known]:
        return {document: known for document, known in self.documents.items() if self.may(who, document)}

    def check(self, who: Principal, given: str, but: str = "", *, old: bool = False) -> None:
        """No canary in `given` that `who` may not read; `but` is the one that they asked with themselves."""
        readable = self.readable(who).values()
        allowed = {known.canaries[known.current] for known in readable}
        if old:
            allowed |= {canary for known in readable for canary in known.canaries.values()}
        leaked = set(CANARY.findall(given)) - allowed - {but}
        assert not leaked, (who, leaked)


@asynccontextmanager
async def world(folder: Path, seed: int) -> AsyncIterator[World]:
    database = Database.in_file(folder / "lastro.db")
    await database.migrate()
    ticks = count()
    originals = FolderOriginals(folder / "originals")
    library = Library(
        catalogue=SqlCatalogue(database, SCALE, lambda: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(next(ticks))),
        vectors=MemoryVectorStore(),
        originals=originals,
        parsed_texts=FolderParsedTexts(folder / "parsed"),
        embedder=MemoryEmbedder(),
        sparse=Bm25Encoder(),
        detector=WordEvidenceDetector(),
        translator=None,
        scale=SCALE,
    )
    await library.open()
    made = World(library, originals, Random(seed))
    made.people = [Principal("acme", name, frozenset(), SCALE.lowest) for name in NAMES]
    made.people += [Principal("other", "ana", frozenset(GROUPS), SCALE.highest)]
    made.people += [Principal("acme", "", frozenset(GROUPS), SCALE.highest)]
    try:
        yield made
    finally:
        await library.close()


def some_access(town: World, tenant: str) -> Access:
    readers = frozenset(town.random.sample(READERS, town.random.choice([0, 1, 1, 2, 3])))
    return Access(tenant, readers, town.random.choice(SCALE.up_to(SCALE.highest)))


async def write(town: World) -> None:
    """A new document or a new version, sometimes of what was deleted before."""
    tenant = town.random.choice(["acme", "acme", "acme", "other"])
    uri = f"notes/{town.random.randrange(14)}.txt"
    document, canary = document_id(tenant, "files", uri), f"canary{next(town.numbers)}x"
    sentences = [f"The code word of the north office is {canary}.", f"Ask the porter for {canary} at the south door."]
    text = " ".join(sentences)
    digest = await town.originals.put(text.encode())
    access = some_access(town, tenant)
    version = DocumentVersion(document, digest, "files", uri, f"Note {canary}", "text/plain", len(text), access, "ana")
    chunks = []
    for n, sentence in enumerate(sentences):
        start = text.index(sentence)
        place = start, start + len(sentence)
        chunks.append(Chunk(chunk_id(document, digest, n), document, digest, n, *place, sentence, version.title))
    await town.library.write(version, ParsedDocument(text, "text/plain", version.title), chunks)
    known = town.documents.setdefault(document, Known(access))
    known.access, known.current = access, digest
    known.canaries[digest] = canary
    town.ever[canary] = town.digests[digest] = document


async def relabel(town: World) -> None:
    """Somebody changes who may read a document, if they may read it themselves."""
    who, document = town.random.choice(town.people), some_document(town)
    access = some_access(town, town.random.choice(["acme", who.tenant, who.tenant]))
    if not town.may(who, document):
        with pytest.raises(NotFound):
            await town.library.set_access(document, access, reader=who)
    elif access.tenant != who.tenant:
        with pytest.raises(PermanentFailure):
            await town.library.set_access(document, access, reader=who)
    else:
        await town.library.set_access(document, access, reader=who)
        town.documents[document].access = access


async def delete(town: World) -> None:
    who, document = town.random.choice(town.people), some_document(town)
    if not town.may(who, document):
        with pytest.raises(NotFound):
            await town.library.delete(document, reader=who)
        return
    await town.library.delete(document, reader=who)
    del town.documents[document]


async def change_person(town: World) -> None:
    """Other groups and another clearance, from the next request on."""
    place = town.random.randrange(len(NAMES))
    groups = frozenset(town.random.sample(GROUPS, town.random.randrange(3)))
    clearance = town.random.choice(SCALE.up_to(SCALE.highest))
    town.people[place] = Principal("acme", NAMES[place], groups, clearance)


def some_document(town: World) -> UUID:
    """Of those that are or were; sometimes one that never was."""
    return town.random.choice([*town.ever.values(), uuid4()])


async def look_around(town: World, who: Principal) -> None:
    """Search and list: nothing that is forbidden, and all that is allowed."""
    readable = town.readable(who)
    found = await town.library.search(GENERAL, reader=who, limit=100)
    town.check(who, repr(found))
    assert {(one.chunk.document_id, one.chunk.n) for one in found} == {(one, n) for one in readable for n in (0, 1)}
    listed, cursor = [], None
    while cursor is not None or not listed:
        page = await town.library.list_documents(reader=who, cursor=cursor, limit=3)
        listed += page.items
        cursor = page.cursor
        if not page.items:
            break
    town.check(who, repr(listed))
    assert sorted(one.version.document_id for one in listed) == sorted(readable)


async def look_for(town: World, who: Principal, canary: str) -> None:
    """Search for one word: found exactly if it stands in a current version that may be read."""
    found = await town.library.search(f"Who knows {canary}?", reader=who, limit=5)
    town.check(who, repr(found))
    document = town.ever[canary]
    known = town.readable(who).get(document)
    allowed = known is not None and known.canaries[known.current] == canary
    assert any(canary in one.chunk.text for one in found) == allowed, (who, canary)


async def open_by_id(town: World, who: Principal) -> None:
    """Every way to a document by its id, with digests of its own, of others, and of versions that are gone."""
    document, digest = some_document(town), town.random.choice([*town.digests, "sha256:" + "0" * 64, "../../etc"])
    mine = town.may(who, document)
    has = mine and digest in town.documents[document].canaries
    calls = {
        "entry": (mine, lambda: town.library.document(document, reader=who)),
        "text": (has, lambda: town.library.stored_text(document, digest, reader=who)),
        "original": (has, lambda: town.library.original(document, digest, reader=who)),
        "parsed": (has, lambda: town.library.parsed(document, digest, reader=who)),
        "current": (mine, lambda: town.library.parsed(document, None, reader=who)),
    }
    for name, (allowed, call) in calls.items():
        if allowed:
            town.check(who, repr(await call()), old=name not in {"entry", "current"})
        else:
            with pytest.raises(NotFound):
                await call()


async def ask(town: World, who: Principal) -> None:
    """Two models, one of which repeats its whole prompt: what they see and what they say."""
    canary = town.random.choice(list(town.ever))
    for question, but in ((GENERAL, ""), (f"Where is {canary} the code word?", canary)):
        echo = ScriptedModel(lambda prompt: "\n".join(message.content for message in prompt.messages))
        for model in (echo, ExtractiveModel()):
            events = [event async for event in answering(town, model).events(Question(question), reader=who)]
            town.check(who, repr(events), but)
            answer = events[-1]
            cited = {citation.document_id for citation in answer.citations}
            assert cited <= set(town.readable(who))
            town.check(who, repr(answer.citations))
            for document in cited:
                assert answer.label.rank >= town.documents[document].access.label.rank
        for prompt in echo.prompts:
            town.check(who, repr(prompt), but)
            assert seen_by(prompt) <= set(town.readable(who))


def answering(town: World, model: ChatModel) -> Answering:
    settings = AnsweringSettings(min_confidence=0.0, embedder="memory-words")
    return Answering(
        library=town.library,
        local=model,
        scale=SCALE,
        detector=WordEvidenceDetector(),
        clock=lambda: 0.0,
        new_id=uuid4,
        settings=settings,
    )


def seen_by(prompt: Prompt) -> set[UUID]:
    return {passage.chunk.document_id for passage in prompt.passages}


CHANGES = [write, write, write, relabel, relabel, relabel, delete, change_person]


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
async def test_every_reader_gets_all_they_may_read_and_nothing_else_after_every_change(
    tmp_path: Path, seed: int
) -> None:
    async with world(tmp_path, seed) as town:
        for _ in range(3):
            await write(town)
        answered = found = 0
        for step in range(STEPS):
            await town.random.choice(CHANGES)(town)
            who = town.random.choice(town.people)
            await look_around(town, who)
            await look_for(town, who, town.random.choice(list(town.ever)))
            await open_by_id(town, who)
            if step % 5 == 0:
                await ask(town, who)
                answered += bool(town.readable(who))
            found += bool(town.readable(who))
        # The walk has seen both sides: readers with and readers without anything to read.
        assert 0 < found < STEPS
        assert answered
        assert await town.library.differences() == []
