import io
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.datastructures import UploadFile

from api import uploads
from api.auth import Caller, Role
from api.errors import RequestInvalid
from api.uploads import access_of, batches, source_of, uri_of
from retrieval.access import Access, LabelScale, Principal
from retrieval.errors import UnknownLabel

SCALE = LabelScale()


def caller(role: Role = Role.CONTRIBUTOR, user: str = "anna") -> Caller:
    return Caller(Principal("main", user, frozenset(), SCALE.label("internal")), role, uuid4())


@pytest.mark.parametrize(("name", "uri"), [
    ("report.pdf", "report.pdf"),
    ("people/leave policy.md", "people/leave policy.md"),
    ("a/./b//c.txt", "a/b/c.txt"),
    ("a/../b.txt", "b.txt"),
    ("../../etc/passwd", "etc/passwd"),
    ("/etc/passwd", "etc/passwd"),
    ("..\\..\\windows\\win.ini", "windows/win.ini"),
    ("férias.docx", "férias.docx"),
    ("...", "..."),
])  # fmt: skip
def test_a_name_becomes_a_relative_uri(name: str, uri: str) -> None:
    assert uri_of(name) == uri


@pytest.mark.parametrize("name", [None, "", ".", "..", "/", "a\x00b", "a\nb", "a\u202eb", "x" * 1_001, "../.."])
def test_a_name_that_says_nothing_or_holds_control_characters_is_refused(name: str | None) -> None:
    with pytest.raises(RequestInvalid):
        uri_of(name)


@given(st.text(max_size=200))
def test_no_name_leads_out_of_its_folder(name: str) -> None:
    try:
        uri = uri_of(name)
    except RequestInvalid:
        return
    assert not uri.startswith("/")
    assert ".." not in uri.split("/")
    assert uri.isprintable()
    assert uri_of(uri) == uri


def test_below_curators_everybody_has_sources_of_their_own() -> None:
    assert source_of(None, caller()) == "anna/uploads"
    assert source_of("handbook", caller()) == "anna/handbook"
    assert source_of("handbook", caller(Role.CURATOR)) == "handbook"
    assert source_of(None, caller(Role.ADMINISTRATOR, "admin")) == "admin/uploads"


def test_one_user_s_source_is_never_another_s() -> None:
    assert source_of("x", caller(user="anna")) != source_of("anna/x", caller(user="ben"))


@pytest.mark.parametrize("source", [" ", "a\x07", "x" * 1_001])
def test_a_source_needs_a_name(source: str) -> None:
    with pytest.raises(RequestInvalid):
        source_of(source, caller(Role.CURATOR))


def test_unsaid_access_is_the_highest_label_and_the_uploader_alone() -> None:
    assert access_of(None, [], caller(), SCALE) == Access("main", frozenset({"user:anna"}), SCALE.highest)
    assert access_of("", [""], caller(), SCALE) == access_of(None, [], caller(), SCALE)


def test_access_is_taken_as_it_is_said_readers_repeated_or_with_commas() -> None:
    wanted = Access("main", frozenset({"everyone", "group:hr", "user:ben"}), SCALE.label("public"))
    assert access_of("public", ["everyone", "group:hr, user:ben"], caller(), SCALE) == wanted


def test_a_reader_or_label_that_is_none_is_refused() -> None:
    with pytest.raises(RequestInvalid, match="write everyone, group:NAME or user:NAME"):
        access_of("public", ["all"], caller(), SCALE)
    with pytest.raises(UnknownLabel):
        access_of("top", ["everyone"], caller(), SCALE)


async def test_files_become_documents_a_few_megabytes_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(uploads, "BATCH_BYTES", 10)
    files = [UploadFile(io.BytesIO(b"x" * 6), filename=f"f/{n}.txt") for n in range(5)]
    access = access_of("public", ["everyone"], caller(), SCALE)
    seen = [batch async for batch in batches(files, source="s", access=access, added_by="anna")]
    assert [len(batch) for batch in seen] == [2, 2, 1]
    first = seen[0][0]
    assert (first.source, first.uri, first.name, first.data) == ("s", "f/0.txt", "0.txt", b"x" * 6)
    assert (first.access, first.added_by) == (access, "anna")


async def test_one_bad_name_refuses_the_upload_before_anything_is_taken_in() -> None:
    files = [UploadFile(io.BytesIO(b"x"), filename=name) for name in ("good.txt", "bad\x00.txt")]
    access = access_of(None, [], caller(), SCALE)
    with pytest.raises(RequestInvalid):
        await anext(aiter(batches(files, source="s", access=access, added_by="anna")))
