"""What goes over the wire to a Qdrant server, and what becomes of every way in which it can fail.

A stub on loopback records requests and answers as it is told. It proves what is sent and how faults are handled, not
what a server answers: that is for the contract suite with LASTRO_TEST_QDRANT_URL.
"""

import json
import threading
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from qdrant_client import models

from retrieval.access import Access, LabelScale, ReaderFilter
from retrieval.adapters.qdrant_server import BATCH, RECOUNT_SECONDS, QdrantServerStore
from retrieval.adapters.tie_order import SLACK
from retrieval.errors import DiskFull, LastroError, StoreRefused, StoreUnavailable, WrongEmbedder
from retrieval.model import EmbedderIdentity, IndexIdentity, Point, SparseVector, StoreQuery

IDENTITY = IndexIdentity(EmbedderIdentity("Small/E5 (int8)", 2, 512, "sha256:1"), "bm25/1")
COLLECTION = "lastro-small-e5-int8-50d51bc1b220"
DOCUMENT, CHUNK = UUID(int=1), UUID(int=2)
HR = Access("acme", frozenset({"group:hr", "user:ana"}), LabelScale().label("internal"))
POINT = Point(
    CHUNK, DOCUMENT, "sha256:v", 3, HR, np.array([0.6, 0.8], dtype=np.float32), SparseVector((5, 9), (1.0, 0.5))
)
READER = ReaderFilter("acme", frozenset({"everyone", "group:hr"}), frozenset({"public", "internal"}))
QUERY = StoreQuery(READER, np.array([1, 0], dtype=np.float32), SparseVector((5,), (1.0,)), 10)

READABLE = {
    "must": [
        {"key": "tenant", "match": {"value": "acme"}},
        {"key": "readers", "match": {"any": ["everyone", "group:hr"]}},
        {"key": "label", "match": {"any": ["internal", "public"]}},
    ]
}
UPDATED = {"operation_id": 1, "status": "completed"}

Answer = tuple[int, bytes, dict[str, str]]


@dataclass
class Request:
    method: str
    path: str
    key: str | None
    body: Any


@dataclass
class Stub:
    """A server that answers by path; `answers` override what a healthy, empty 1.19 would say."""

    url: str = ""
    requests: list[Request] = field(default_factory=list)
    answers: dict[str, Callable[[Request], Answer]] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        place = f"{request.method} {request.path.split('?')[0].replace(COLLECTION, 'C')}"
        if place in self.answers:
            return self.answers[place](request)
        healthy = {
            "GET /": {"title": "qdrant", "version": "1.19.0"},
            "GET /aliases": {"aliases": []},
            "GET /collections/C/exists": {"exists": False},
            "PUT /collections/C": True,
            "PUT /collections/C/index": UPDATED,
            "POST /collections/aliases": True,
            "POST /collections/C/points/count": {"count": 7},
            "POST /collections/C/points/query/batch": [{"points": []}, {"points": []}],
            "POST /collections/C/points/scroll": {"points": [], "next_page_offset": None},
            "PUT /collections/C/points": UPDATED,
            "POST /collections/C/points/delete": UPDATED,
            "POST /collections/C/points/payload": UPDATED,
        }[place]
        return ok(healthy) if place != "GET /" else json_answer(healthy)

    def sent(self, method: str, end: str) -> list[Request]:
        return [each for each in self.requests if each.method == method and each.path.split("?")[0].endswith(end)]


def json_answer(content: object) -> Answer:
    return 200, json.dumps(content).encode(), {}


def ok(result: object) -> Answer:
    return json_answer({"result": result, "status": "ok", "time": 0.0})


def found(chunk: int, score: float) -> dict[str, object]:
    return {"id": str(UUID(int=chunk)), "version": 1, "score": score}


def failing(status: int, message: str = "no", **headers: str) -> Callable[[Request], Answer]:
    body = json.dumps({"status": {"error": message}, "time": 0.0}).encode()
    return lambda _: (status, body, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.fixture
def stub() -> Iterator[Stub]:
    made = Stub()

    class Handler(BaseHTTPRequestHandler):
        def respond(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            key = self.headers.get("api-key")
            status, content, headers = made.answer(
                Request(self.command, self.path, key, json.loads(body) if body else None)
            )
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json",
                "Content-Length": str(len(content)),
                **headers,
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = respond  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.stop.set()
    server.shutdown()
    thread.join()
    server.server_close()


async def opened(stub: Stub, **options: int) -> QdrantServerStore:
    store = QdrantServerStore.connect(stub.url, api_key="k3y", **options)
    await store.open(IDENTITY)
    return store


async def test_opening_makes_the_collection_its_indexes_and_last_the_alias(stub: Stub) -> None:
    await opened(stub)
    assert [(each.method, each.path.split("?")[0]) for each in stub.requests] == [
        ("GET", "/"),
        ("GET", "/aliases"),
        ("GET", f"/collections/{COLLECTION}/exists"),
        ("PUT", f"/collections/{COLLECTION}"),
        *[("PUT", f"/collections/{COLLECTION}/index")] * 5,
        ("POST", "/collections/aliases"),
    ]
    assert {each.key for each in stub.requests} == {"k3y"}
    made = models.CreateCollection.model_validate(stub.requests[3].body)
    assert made.vectors == {"dense": models.VectorParams(size=2, distance=models.Distance.COSINE)}
    assert made.sparse_vectors == {"sparse": models.SparseVectorParams(modifier=models.Modifier.IDF)}
    assert made.hnsw_config == models.HnswConfigDiff(full_scan_threshold=1000)
    assert made.metadata == {
        "lastro": {
            "embedder": {"name": "Small/E5 (int8)", "dimensions": 2, "max_tokens": 512, "digest": "sha256:1"},
            "sparse": "bm25/1",
        }
    }
    indexes = [models.CreateFieldIndex.model_validate(each.body) for each in stub.sent("PUT", "/index")]
    assert [(index.field_name, index.field_schema) for index in indexes] == [
        ("tenant", models.KeywordIndexParams(type=models.KeywordIndexType.KEYWORD, is_tenant=True)),
        ("readers", models.PayloadSchemaType.KEYWORD),
        ("label", models.PayloadSchemaType.KEYWORD),
        ("version", models.PayloadSchemaType.KEYWORD),
        ("document_id", models.PayloadSchemaType.UUID),
    ]
    assert all("wait=true" in each.path for each in stub.sent("PUT", "/index"))
    assert stub.requests[-1].body == {
        "actions": [{"create_alias": {"collection_name": COLLECTION, "alias_name": "lastro"}}]
    }


async def test_an_alias_to_the_same_collection_is_opened_and_nothing_is_made(stub: Stub) -> None:
    stub.answers["GET /aliases"] = lambda _: ok({"aliases": [{"alias_name": "lastro", "collection_name": COLLECTION}]})
    await opened(stub)
    assert {each.method for each in stub.requests} == {"GET"}


async def test_an_alias_to_another_collection_is_another_embedder(stub: Stub) -> None:
    stub.answers["GET /aliases"] = lambda _: ok(
        {"aliases": [{"alias_name": "lastro", "collection_name": "lastro-x-1"}]}
    )
    with pytest.raises(WrongEmbedder, match="lastro-x-1"):
        await opened(stub)


async def test_a_collection_that_was_left_half_made_is_completed(stub: Stub) -> None:
    stub.answers["GET /collections/C/exists"] = lambda _: ok({"exists": True})
    await opened(stub)
    assert not [each for each in stub.requests if (each.method, each.path) == ("PUT", f"/collections/{COLLECTION}")]
    assert len(stub.sent("PUT", "/index")) == 5
    assert stub.sent("POST", "/aliases")


@pytest.mark.parametrize("version", ["1.18.3", "0.9", "", "unknown"])
async def test_a_server_that_is_too_old_is_refused_with_both_versions(stub: Stub, version: str) -> None:
    stub.answers["GET /"] = lambda _: json_answer({"title": "q", "version": version})
    with pytest.raises(StoreRefused, match=rf"version {version}; 1.19 is the oldest"):
        await opened(stub)
    assert len(stub.requests) == 1


async def test_a_newer_server_will_do(stub: Stub) -> None:
    stub.answers["GET /"] = lambda _: json_answer({"title": "q", "version": "2.0.0-rc1"})
    await opened(stub)


async def test_a_search_is_one_request_with_two_filtered_rankings(stub: Stub) -> None:
    store = await opened(stub)
    stub.answers["POST /collections/C/points/query/batch"] = lambda _: ok(
        [{"points": [found(9, 0.5), found(2, 0.5)]}, {"points": [found(2, 2.5)]}]
    )
    hits = await store.search(QUERY)
    assert [(hit.chunk_id, hit.score) for hit in hits.dense] == [(CHUNK, 0.5), (UUID(int=9), 0.5)]
    assert [(hit.chunk_id, hit.score) for hit in hits.sparse] == [(CHUNK, 2.5)]
    [request] = stub.sent("POST", "/query/batch")
    models.QueryRequestBatch.model_validate(request.body)
    corpus = {"must": [{"key": "tenant", "match": {"value": "acme"}}]}
    assert without_nulls(request.body) == {
        "searches": [
            {
                "query": {"nearest": [1.0, 0.0]},
                "using": "dense",
                "filter": READABLE,
                "params": {"exact": True},
                "limit": 10 + SLACK,
            },
            {
                "query": {"nearest": {"indices": [5], "values": [1.0]}},
                "using": "sparse",
                "filter": READABLE,
                "params": {"idf": {"corpus": corpus}},
                "limit": 10 + SLACK,
            },
        ]
    }


def without_nulls(body: object) -> object:
    """A body without the client's own defaults: fields that are null, or false where we never say so."""
    if isinstance(body, dict):
        kept = {name: without_nulls(value) for name, value in body.items() if value is not None and value is not False}
        return {"nearest": kept.pop("nearest")} if set(kept) == {"nearest"} else kept
    return [without_nulls(each) for each in body] if isinstance(body, list) else body


async def test_a_large_collection_is_searched_by_the_graph_and_scanned_where_it_finds_too_few(stub: Stub) -> None:
    store = await opened(stub)
    stub.answers["POST /collections/C/points/count"] = lambda _: ok({"count": 200_001})
    stub.answers["POST /collections/C/points/query/batch"] = lambda request: ok(
        [{"points": [found(2, 0.5)]} for _ in request.body["searches"]]
    )
    hits = await store.search(QUERY)
    assert [hit.chunk_id for hit in hits.dense] == [CHUNK]
    graph, scan = (without_nulls(each.body)["searches"] for each in stub.sent("POST", "/query/batch"))
    assert graph[0]["params"] == {"hnsw_ef": 256, "acorn": {"enable": True, "max_selectivity": 1.0}}
    assert [(each["using"], each["params"], each["filter"]) for each in scan] == [("dense", {"exact": True}, READABLE)]


async def test_a_large_collection_is_not_scanned_when_the_graph_finds_enough(stub: Stub) -> None:
    store = await opened(stub)
    stub.answers["POST /collections/C/points/count"] = lambda _: ok({"count": 200_001})
    many = [found(100 + n, 1 / (n + 1)) for n in range(10 + SLACK)]
    stub.answers["POST /collections/C/points/query/batch"] = lambda _: ok([{"points": many}, {"points": []}])
    assert len((await store.search(QUERY)).dense) == 10
    assert len(stub.sent("POST", "/query/batch")) == 1


async def test_a_tie_at_the_limit_is_asked_for_again_until_it_is_whole(stub: Stub) -> None:
    store = await opened(stub)

    def answer(request: Request) -> Answer:
        [search] = request.body["searches"]
        return ok([{"points": [found(99 - n, 1.0) for n in range(min(90, search["limit"]))]}])

    stub.answers["POST /collections/C/points/query/batch"] = answer
    hits = await store.search(StoreQuery(READER, QUERY.dense, None, 3))
    assert [hit.chunk_id.int for hit in hits.dense] == [10, 11, 12]
    assert len(stub.sent("POST", "/query/batch")) == 2


async def test_points_are_counted_again_after_a_minute_and_not_before(stub: Stub) -> None:
    now = [0.0]
    store = QdrantServerStore(QdrantServerStore.connect(stub.url)._client, clock=lambda: now[0])
    await store.open(IDENTITY)
    for moment in (0.0, RECOUNT_SECONDS, RECOUNT_SECONDS + 1):
        now[0] = moment
        await store.search(QUERY)
    assert [each.body for each in stub.sent("POST", "/count")] == [{"exact": False}] * 2


async def test_points_are_written_in_batches_and_waited_for(stub: Stub) -> None:
    store = await opened(stub)
    await store.upsert([POINT] * (BATCH + 1))
    first, second = stub.sent("PUT", "/points")
    assert "wait=true" in first.path
    assert [len(each.body["points"]) for each in (first, second)] == [BATCH, 1]
    models.PointsList.model_validate(second.body)
    [written] = without_nulls(second.body)["points"]
    assert written["vector"]["dense"] == pytest.approx([0.6, 0.8])
    del written["vector"]["dense"]
    assert written == {
        "id": str(CHUNK),
        "vector": {"sparse": {"indices": [5, 9], "values": [1.0, 0.5]}},
        "payload": {
            "tenant": "acme",
            "readers": ["group:hr", "user:ana"],
            "label": "internal",
            "document_id": str(DOCUMENT),
            "version": "sha256:v",
            "n": 3,
        },
    }


async def test_removing_and_relabelling_go_by_document(stub: Stub) -> None:
    store = await opened(stub)
    await store.remove(DOCUMENT, keep_version="sha256:v")
    await store.relabel(DOCUMENT, HR)
    [removed], [relabelled] = stub.sent("POST", "/delete"), stub.sent("POST", "/payload")
    its_points = {"key": "document_id", "match": {"value": str(DOCUMENT)}}
    assert without_nulls(removed.body) == {
        "filter": {"must": [its_points], "must_not": [{"key": "version", "match": {"value": "sha256:v"}}]}
    }
    assert without_nulls(relabelled.body) == {
        "payload": {"tenant": "acme", "readers": ["group:hr", "user:ana"], "label": "internal"},
        "filter": {"must": [its_points]},
    }
    assert "wait=true" in removed.path
    assert "wait=true" in relabelled.path


@pytest.mark.parametrize(
    ("answer", "kind", "words"),
    [
        (failing(500), StoreUnavailable, "status 500"),
        (failing(503), StoreUnavailable, "status 503"),
        (failing(429), StoreUnavailable, "status 429"),
        (failing(429, Retry_After="3"), StoreUnavailable, "ResourceExhausted"),
        (failing(429, Retry_After="soon"), StoreUnavailable, "QdrantException"),
        (failing(500, "Service internal error: No space left on device"), DiskFull, "disk"),
        (failing(401), StoreRefused, "our key"),
        (failing(403), StoreRefused, "our key"),
        (failing(400, "unindexed field"), StoreRefused, "status 400"),
        (failing(404), StoreRefused, "status 404"),
        (lambda _: (200, b"<html>a proxy</html>", {}), StoreUnavailable, "as it should"),
        (lambda _: (200, b"", {}), StoreUnavailable, "as it should"),
        (lambda _: (200, b'{"result": null}', {}), StoreUnavailable, "no use"),
        (lambda _: (200, b'{"result": {"count": "many"}}', {}), StoreUnavailable, "ValidationError"),
    ],
)
async def test_what_the_server_says_becomes_one_of_our_failures(
    stub: Stub, answer: Callable[[Request], Answer], kind: type[LastroError], words: str
) -> None:
    store = await opened(stub)
    stub.answers["POST /collections/C/points/count"] = answer
    with pytest.raises(kind, match=words) as failure:
        await store.count()
    assert failure.value.__cause__ is not None


async def test_a_server_that_is_slow_is_given_up(stub: Stub) -> None:
    store = await opened(stub, timeout=1)
    stub.answers["POST /collections/C/points/count"] = lambda _: (stub.stop.wait(5), ok({"count": 1}))[1]
    with pytest.raises(StoreUnavailable, match="Timeout"):
        await store.count()


async def test_a_server_that_is_not_there_is_unavailable(stub: Stub) -> None:
    port = stub.url.rsplit(":", 1)[1]
    store = QdrantServerStore.connect("http://127.0.0.1:1")
    with pytest.raises(StoreUnavailable, match="Connect"):
        await store.open(IDENTITY)
    over_tls = QdrantServerStore.connect(f"https://127.0.0.1:{port}", api_key="k3y")
    with pytest.raises(StoreUnavailable, match="ConnectError"):
        await over_tls.open(IDENTITY)
    assert not stub.requests


async def test_a_closed_client_is_unavailable_and_a_key_without_tls_is_no_noise(stub: Stub) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        store = await opened(stub)
    await store._client.close()
    with pytest.raises(StoreUnavailable):
        await store.count()
    await store.close()
