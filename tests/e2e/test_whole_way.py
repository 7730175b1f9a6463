"""The whole way on the real engine: a server's process tree, real files in, cited answers or refusals out."""

import io
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from docx import Document
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen import canvas

pytestmark = [pytest.mark.models, pytest.mark.slow, pytest.mark.xdist_group("server")]

LASTRO = str(Path(sys.executable).parent / "lastro")
PORTUGUESE = {
    1: "Regulamento de férias da Oficina Aurora. Este regulamento aplica-se a todos os trabalhadores da oficina.",
    2: "Cada trabalhador tem direito a 25 dias úteis de férias por ano. O pedido de férias é entregue ao "
    "chefe de equipa com pelo menos 30 dias de antecedência.",
    3: "As férias não gozadas até 31 de março do ano seguinte perdem-se, salvo acordo escrito com a direção.",
}
ENGLISH = (
    ("Travel policy", 1),
    (
        "Employees book train tickets through the travel desk. First class is allowed on journeys of over four hours.",
        0,
    ),
    ("Meals", 1),
    ("The daily meal allowance on business trips within Europe is 48 euros. Receipts are kept for seven years.", 0),
)
SECRET = "The merger with Borealis Instruments closes on 14 May at a price of 81 million euros."


def portuguese_pdf() -> bytes:
    file = io.BytesIO()
    pages = canvas.Canvas(file, pagesize=A4)
    for text in PORTUGUESE.values():
        words, line, y = text.split(), "", 780
        for word in words:
            if len(line) + len(word) > 70:
                pages.drawString(70, y, line)
                line, y = "", y - 18
            line = f"{line} {word}".strip()
        pages.drawString(70, y, line)
        pages.showPage()
    pages.save()
    return file.getvalue()


def english_docx() -> bytes:
    document, file = Document(), io.BytesIO()
    for text, level in ENGLISH:
        document.add_heading(text, level) if level else document.add_paragraph(text)
    document.save(file)
    return file.getvalue()


class Server:
    """A running `lastro serve` and its administrator's key."""

    def __init__(self, folder: Path, environment: dict[str, str], url: str, key: str) -> None:
        self.folder, self.environment, self.url, self.key = folder, environment, url, key

    def as_user(self, key: str) -> httpx.Client:
        return httpx.Client(base_url=self.url, headers={"Authorization": f"Bearer {key}"}, timeout=90)

    def run(self, *arguments: str) -> Any:
        result = subprocess.run(
            [LASTRO, *arguments, "--json"], env=self.environment, cwd=self.folder, capture_output=True, check=False
        )
        assert result.returncode == 0, result.stderr.decode()[-2000:]
        return json.loads(result.stdout)

    def new_key(self, user: str, *options: str) -> str:
        return str(self.run("keys", "create", "--user", user, *options)["key"])


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, model_cache: Path) -> Iterator[Server]:
    if not model_cache.exists():
        pytest.skip("the embedder was not fetched: lastro models pull embedder")
    folder, port = tmp_path_factory.mktemp("whole"), free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("LASTRO_")}
    environment |= {"LASTRO_SERVER__PORT": str(port), "LASTRO_LLM__KIND": "extractive"}
    first = subprocess.run([LASTRO, "init", "--json"], env=environment, cwd=folder, capture_output=True, check=True)
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen([LASTRO, "serve"], env=environment, cwd=folder, stdout=log, stderr=log)
    try:
        url = f"http://127.0.0.1:{port}"
        wait_until_ready(url, process, folder / "server.log")
        yield Server(folder, environment, url, json.loads(first.stdout)["admin_key"])
    finally:
        process.terminate()
        assert process.wait(timeout=60) == 0


def wait_until_ready(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(240):
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            if httpx.get(f"{url}/readyz", timeout=2).status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.25)
    pytest.fail(f"not ready: {log.read_text()[-3000:]}")


def upload(server: Server, name: str, data: bytes, label: str, *readers: str) -> dict[str, Any]:
    with server.as_user(server.key) as admin:
        fields = {"label": label, "readers": list(readers)}
        reply = admin.post("/v1/documents", files={"files": (name, data)}, data=fields)
        assert reply.status_code == 202, reply.text
        job = reply.json()["jobs"][0]
        for _ in range(600):
            job = admin.get(f"/v1/jobs/{job['id']}").json()
            if job["state"] in {"done", "failed"}:
                return job
            time.sleep(0.1)
    raise AssertionError(job)


@pytest.fixture(scope="module")
def library(server: Server) -> dict[str, str]:
    """The ids of three documents, by name."""
    jobs = {
        "ferias.pdf": upload(server, "pessoal/ferias.pdf", portuguese_pdf(), "internal", "everyone"),
        "travel.docx": upload(server, "travel.docx", english_docx(), "internal", "everyone"),
        "merger.txt": upload(server, "merger.txt", SECRET.encode(), "restricted", "group:board"),
    }
    assert {name: job["state"] for name, job in jobs.items()} == dict.fromkeys(jobs, "done")
    return {name: job["document_id"] for name, job in jobs.items()}


@pytest.fixture(scope="module")
def reader(server: Server) -> Iterator[httpx.Client]:
    with server.as_user(server.new_key("ana", "--groups", "people", "--clearance", "confidential")) as client:
        yield client


def ask(client: httpx.Client, question: str) -> dict[str, Any]:
    reply = client.post("/v1/answers", json={"question": question})
    assert reply.status_code == 200, reply.text
    return reply.json()


def assert_cited(client: httpx.Client, answer: dict[str, Any], words: str) -> dict[str, Any]:
    """The answer is answered, its quotes are slices of the stored text, and one holds the words."""
    assert answer["status"] == "answered", answer
    assert answer["egress"]["left"] is False
    for citation in answer["citations"]:
        content = client.get(
            f"/v1/documents/{citation['document_id']}/content",
            params={"version": citation["version"], "format": "text"},
        ).text
        assert content[citation["start"] : citation["end"]] == citation["quote"]
    return next(citation for citation in answer["citations"] if words in " ".join(citation["quote"].split()))


def test_a_question_in_portuguese_about_a_portuguese_pdf_is_answered_with_its_page(
    reader: httpx.Client, library: dict[str, str]
) -> None:
    answer = ask(reader, "Quantos dias úteis de férias tem cada trabalhador por ano?")
    citation = assert_cited(reader, answer, "25 dias úteis de férias")
    assert citation["document_id"] == library["ferias.pdf"]
    assert citation["page"] == 2
    assert citation["uri"] == "pessoal/ferias.pdf"


def test_a_question_in_english_about_a_docx_is_answered(reader: httpx.Client, library: dict[str, str]) -> None:
    answer = ask(reader, "What is the daily meal allowance on business trips within Europe?")
    assert assert_cited(reader, answer, "48 euros")["document_id"] == library["travel.docx"]


@pytest.mark.parametrize(
    "question",
    ["What is the notice period for senior managers?", "Qual é o subsídio de teletrabalho em Lisboa?"],
)
def test_what_is_not_in_the_documents_is_refused(reader: httpx.Client, library: dict[str, str], question: str) -> None:
    answer = ask(reader, question)
    assert answer["status"] == "refused", answer
    assert answer["refusal"]["reason"] in {"not_in_documents", "low_confidence"}
    assert answer["answer"] is None


def test_a_reader_without_the_right_sees_nothing_by_any_route(
    reader: httpx.Client, library: dict[str, str], server: Server
) -> None:
    secret = library["merger.txt"]
    routes = [
        ("GET", f"/v1/documents/{secret}", None),
        ("GET", f"/v1/documents/{secret}/content", None),
        ("DELETE", f"/v1/documents/{secret}", None),
        ("PUT", f"/v1/documents/{secret}/access", {"label": "public", "readers": ["everyone"]}),
        ("GET", "/v1/documents", None),
        ("POST", "/v1/search", {"query": "Borealis Instruments merger price"}),
        ("POST", "/v1/answers", {"question": "At what price does the merger with Borealis Instruments close?"}),
        ("GET", "/v1/jobs", None),
    ]
    for method, path, body in routes:
        reply = reader.request(method, path, json=body)
        assert "81 million" not in reply.text, path
        assert "merger.txt" not in reply.text, path
        assert secret not in reply.text, path
        if secret in path:
            missing = reader.request(method, path.replace(secret, "00000000-0000-5000-8000-000000000000"), json=body)
            assert (reply.status_code, reply.json()) == (missing.status_code, missing.json()), path
    with server.as_user(server.new_key("bruno", "--groups", "board", "--clearance", "restricted")) as board:
        found = board.post("/v1/search", json={"query": "Borealis Instruments merger price"}).json()["passages"]
        assert any(SECRET in passage["text"] for passage in found)


def test_a_broken_file_fails_with_the_reason_and_the_remedy(server: Server) -> None:
    for name, data, code in (
        ("empty.pdf", b"", "empty_file"),
        ("named.docx", portuguese_pdf(), "wrong_extension"),
        ("cut.pdf", portuguese_pdf()[:300], "damaged_file"),
    ):
        job = upload(server, name, data, "internal", "everyone")
        assert (job["state"], job["error"]["code"]) == ("failed", code)
        assert job["error"]["remedy"].endswith(".")


def test_the_command_line_tells_the_same(server: Server, library: dict[str, str]) -> None:
    server.new_key("carla", "--clearance", "internal")
    answer = server.run("ask", "What is the daily meal allowance on business trips within Europe?", "--as", "carla")
    assert answer["status"] == "answered"
    assert "48 euros" in answer["answer"]
