"""The example documents, their access files and the questions about them say the same thing."""

import email
import json
import re
import subprocess
import sys
import tomllib
from collections import Counter
from email.policy import default
from io import BytesIO
from pathlib import Path
from typing import Any

import docx
import openpyxl
import pypdfium2
import pytest

from retrieval.access import Access, LabelScale, Principal, allows, reader_names

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
DOCUMENTS = EXAMPLES / "documents"
ACCESS = ".lastro.toml"
SCALE = LabelScale()
FORMATS = {".md", ".txt", ".html", ".pdf", ".docx", ".xlsx", ".eml"}
ADDRESS = re.compile(r"[\w.+-]+@([\w-]+(?:\.[\w-]+)+)")
TENANT = "farolim"


def files(folder: Path) -> dict[str, Path]:
    return {str(path.relative_to(folder)): path for path in sorted(folder.rglob("*")) if path.is_file()}


DOCUMENT_FILES = {name: path for name, path in files(DOCUMENTS).items() if path.name != ACCESS}
QUESTIONS = [json.loads(line) for line in (EXAMPLES / "questions.jsonl").read_text(encoding="utf-8").splitlines()]
USERS = tomllib.loads((EXAMPLES / "users.toml").read_text(encoding="utf-8"))["users"]


def pdf_pages(data: bytes) -> list[str]:
    with pypdfium2.PdfDocument(data) as document:
        return [page.get_textpage().get_text_range() for page in document]


def docx_text(data: bytes) -> str:
    body = docx.Document(BytesIO(data)).element.body
    paragraphs = body.iter("{http://schemas.openxmlformats.org/wordprocessingml/2006/main}p")
    return "\n".join(
        "".join(node.text or "" for node in paragraph.iter() if node.tag.endswith("}t")) for paragraph in paragraphs
    )


def xlsx_text(data: bytes) -> str:
    book = openpyxl.load_workbook(BytesIO(data))
    rows = (row for sheet in book for row in sheet.iter_rows(values_only=True))
    return "\n".join(" ".join(str(cell) for cell in row if cell is not None) for row in rows)


def eml_text(data: bytes) -> str:
    mail = email.message_from_bytes(data, policy=default)
    parts = (part.get_content() for part in mail.walk() if part.get_content_type() == "text/plain")
    return "\n".join([mail["Subject"], mail["From"], mail["To"], *parts])


def text_of(path: Path) -> str:
    data = path.read_bytes()
    readers = {".docx": docx_text, ".xlsx": xlsx_text, ".eml": eml_text, ".pdf": lambda pdf: "\n".join(pdf_pages(pdf))}
    text = readers.get(path.suffix, bytes.decode)(data)
    return " ".join(text.split())


def access_of(name: str) -> Access:
    """What the nearest access file says; without one the document is closed."""
    path = DOCUMENTS / name
    for folder in path.parents:
        if (folder / ACCESS).is_file():
            said = tomllib.loads((folder / ACCESS).read_text(encoding="utf-8"))
            said = {**said, **said.get("files", {}).get(path.name, {})}
            return Access(TENANT, reader_names(said["readers"]), SCALE.label(said["label"]))
        if folder == DOCUMENTS:
            break
    return Access.closed(TENANT, SCALE)


def principal(user: str) -> Principal:
    who = USERS[user]
    return Principal(TENANT, user, frozenset(who["groups"]), SCALE.label(who["clearance"]))


def language_of(name: str) -> str:
    source = (EXAMPLES / "sources" / f"{name}.md").read_text(encoding="utf-8")
    return str(tomllib.loads(source.split("+++\n")[1])["language"])


def of_kind(*kinds: str) -> list[Any]:
    return [pytest.param(question, id=question["id"]) for question in QUESTIONS if question["kind"] in kinds]


@pytest.fixture(scope="module")
def rebuilt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples") / "documents"
    subprocess.run([sys.executable, str(EXAMPLES / "make_documents.py"), str(folder)], check=True)
    return folder


def test_the_script_makes_the_very_files_that_are_committed(rebuilt: Path) -> None:
    assert files(rebuilt).keys() == files(DOCUMENTS).keys()
    different = [name for name, path in DOCUMENT_FILES.items() if text_of(rebuilt / name) != text_of(path)]
    assert not different


def test_making_them_again_changes_no_byte(rebuilt: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    subprocess.run([sys.executable, str(EXAMPLES / "make_documents.py"), str(again)], check=True)
    assert not [name for name, path in files(again).items() if path.read_bytes() != (rebuilt / name).read_bytes()]


def test_the_script_leaves_a_folder_with_other_things_alone(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine", encoding="utf-8")
    script = [sys.executable, str(EXAMPLES / "make_documents.py"), str(tmp_path)]
    result = subprocess.run(script, check=False, capture_output=True, text=True)
    assert result.returncode == 1
    assert "not empty" in result.stderr
    assert list(files(tmp_path)) == ["letter.txt"]


def test_half_of_the_documents_are_portuguese() -> None:
    languages = Counter(language_of(name) for name in DOCUMENT_FILES)
    assert languages["en"] == languages["pt"] >= 20


def test_every_format_is_there() -> None:
    assert {path.suffix for path in DOCUMENT_FILES.values()} == FORMATS


def test_the_documents_are_small() -> None:
    sizes = [path.stat().st_size for path in DOCUMENT_FILES.values()]
    assert max(sizes) < 200_000
    assert sum(sizes) < 1_000_000


@pytest.mark.parametrize("name", [name for name in DOCUMENT_FILES if name.endswith(".pdf")])
def test_a_pdf_has_two_to_six_pages_with_text_and_their_number(name: str) -> None:
    pages = pdf_pages(DOCUMENT_FILES[name].read_bytes())
    assert 2 <= len(pages) <= 6
    for number, text in enumerate(pages, 1):
        assert re.search(rf"(page|página) {number}\b", text)
        assert len(text) > 400


@pytest.mark.parametrize("name", [name for name in DOCUMENT_FILES if name.endswith(".docx")])
def test_a_word_document_has_headings_a_table_and_a_content_control(name: str) -> None:
    document = docx.Document(str(DOCUMENT_FILES[name]))
    assert sum(paragraph.style.name.startswith("Heading") for paragraph in document.paragraphs) >= 5
    assert document.tables
    assert [node for node in document.element.body.iter() if node.tag.endswith("}sdt")]


def test_workbooks_have_two_sheets_and_some_mails_an_attachment() -> None:
    books = [openpyxl.load_workbook(path) for path in DOCUMENT_FILES.values() if path.suffix == ".xlsx"]
    mails = [
        email.message_from_bytes(p.read_bytes(), policy=default) for p in DOCUMENT_FILES.values() if p.suffix == ".eml"
    ]
    assert all(len(book.sheetnames) == 2 for book in books)
    assert any(list(mail.iter_attachments()) for mail in mails)
    assert any(not list(mail.iter_attachments()) for mail in mails)


def test_every_mail_address_is_reserved_for_examples() -> None:
    texts = {name: text_of(path) for name, path in DOCUMENT_FILES.items()}
    texts |= {path.name: path.read_text(encoding="utf-8") for path in EXAMPLES.iterdir() if path.is_file()}
    domains = {domain for text in texts.values() for domain in ADDRESS.findall(text)}
    assert domains
    assert all(domain.endswith(".example") for domain in domains)


@pytest.mark.parametrize("path", sorted(DOCUMENTS.rglob(ACCESS)), ids=lambda path: path.parent.name)
def test_an_access_file_names_known_labels_readers_and_files(path: Path) -> None:
    said = tomllib.loads(path.read_text(encoding="utf-8"))
    overrides = said.pop("files", {})
    for entry in [said, *overrides.values()]:
        assert entry.keys() == {"label", "readers"}
        assert SCALE.label(entry["label"])
        assert reader_names(entry["readers"])
    assert all((path.parent / name).is_file() for name in overrides)


def test_every_label_and_every_kind_of_reader_occurs() -> None:
    accesses = [access_of(name) for name in DOCUMENT_FILES]
    assert {access.label.name for access in accesses} == set(SCALE.names)
    readers = frozenset[str]().union(*(access.readers for access in accesses))
    assert {"everyone", "group:people", "group:engineering", "group:finance", "group:board"} <= readers
    assert any(reader.startswith("user:") for reader in readers)


def test_a_folder_without_an_access_file_is_closed_to_every_user() -> None:
    closed = [name for name in DOCUMENT_FILES if access_of(name) == Access.closed(TENANT, SCALE)]
    assert {Path(name).parts[0] for name in closed} == {"inbox"}
    assert not [user for user in USERS for name in closed if allows(principal(user), access_of(name))]


def test_every_reader_that_is_named_exists_among_the_users() -> None:
    known = {f"user:{name}" for name in USERS} | {
        f"group:{group}" for user in USERS.values() for group in user["groups"]
    }
    named = frozenset[str]().union(*(access_of(name).readers for name in DOCUMENT_FILES))
    assert named - {"everyone"} <= known


def test_every_document_that_anyone_may_read_has_a_reader_among_the_users() -> None:
    unread = {name for name in DOCUMENT_FILES if not any(allows(principal(user), access_of(name)) for user in USERS)}
    assert {Path(name).parts[0] for name in unread} == {"inbox"}


def test_questions_have_ids_of_their_own_and_both_languages_in_each_kind() -> None:
    assert len({question["id"] for question in QUESTIONS}) == len(QUESTIONS) >= 60
    counts = Counter((question["kind"], question["language"]) for question in QUESTIONS)
    kinds = ("same-language", "cross-language", "unanswerable", "forbidden")
    assert all(counts[kind, language] >= 5 for kind in kinds for language in ("en", "pt"))


def test_only_questions_of_the_first_two_kinds_can_be_answered() -> None:
    for question in QUESTIONS:
        answerable = question["kind"] in {"same-language", "cross-language"}
        assert question["answerable"] is answerable
        assert ({"answer", "quote", "file"} <= question.keys()) is answerable


@pytest.mark.parametrize("question", of_kind("same-language", "cross-language"))
def test_the_quote_stands_in_the_file_and_the_asker_may_read_it(question: dict[str, Any]) -> None:
    assert question["quote"] in text_of(DOCUMENT_FILES[question["file"]])
    assert allows(principal(question["as"]), access_of(question["file"]))
    same = language_of(question["file"]) == question["language"]
    assert same is (question["kind"] == "same-language")


@pytest.mark.parametrize("question", of_kind("same-language", "cross-language"))
def test_no_other_readable_file_holds_the_quote(question: dict[str, Any]) -> None:
    holders = [name for name, path in DOCUMENT_FILES.items() if question["quote"] in text_of(path)]
    assert holders == [question["file"]]


@pytest.mark.parametrize("question", of_kind("forbidden"))
def test_the_asker_of_a_forbidden_question_may_not_read_the_file(question: dict[str, Any]) -> None:
    assert question["hidden_in"] in DOCUMENT_FILES
    assert not allows(principal(question["as"]), access_of(question["hidden_in"]))


@pytest.mark.parametrize("question", of_kind("unanswerable"))
def test_the_asker_of_an_unanswerable_question_is_a_user(question: dict[str, Any]) -> None:
    assert principal(question["as"]).names
