"""What a `.lastro.toml` says, and that it raises in doubt."""

import pytest

from ingest.errors import InvalidAccessFile
from ingest.folder_access import FolderAccess, Said, normal, read_folder_access
from retrieval.access import Access, LabelScale

SCALE = LabelScale()
INTERNAL, RESTRICTED = SCALE.label("internal"), SCALE.label("restricted")


def read(text: str) -> FolderAccess:
    return read_folder_access(text.encode(), SCALE, name="hr/.lastro.toml")


def test_label_and_readers_hold_for_the_folder() -> None:
    found = read('label = "internal"\nreaders = ["group:people", "user:ana@example.com"]')
    assert found.of("any.txt") == Said(INTERNAL, frozenset({"group:people", "user:ana@example.com"}))
    assert found.of("below/any.txt") == found.folder


def test_a_file_s_own_keys_win_and_the_others_are_the_folder_s() -> None:
    found = read(
        """
        label = "internal"
        readers = ["everyone"]
        [files."salaries.xlsx"]
        label = "restricted"
        readers = ["group:board"]
        [files."plan.md"]
        readers = ["group:board"]
        [files."below/notes.md"]
        label = "restricted"
        """
    )
    everyone, board = frozenset({"everyone"}), frozenset({"group:board"})
    assert found.of("salaries.xlsx") == Said(RESTRICTED, board)
    assert found.of("plan.md") == Said(INTERNAL, board)
    assert found.of("below/notes.md") == Said(RESTRICTED, everyone)
    assert found.of("below/salaries.xlsx") == Said(INTERNAL, everyone)


def test_accents_compare_however_they_are_stored() -> None:
    composed, decomposed = "sal\u00e1rios.txt", "sala\u0301rios.txt"
    found = read(f'[files."{decomposed}"]\nlabel = "restricted"')
    assert found.of(composed).label == RESTRICTED
    assert normal(decomposed) == composed


@pytest.mark.parametrize("text", ["", "# nothing\n", "[files]\n"])
def test_what_says_nothing_is_the_highest_label_and_no_reader(text: str) -> None:
    assert read(text).of("a.txt").access("acme", SCALE) == Access("acme", frozenset(), RESTRICTED)


def test_no_label_means_the_highest_and_no_readers_nobody_yet() -> None:
    assert read('readers = ["everyone"]').folder.access("acme", SCALE).label == RESTRICTED
    assert read('label = "public"').folder.access("acme", SCALE).readers == frozenset()
    assert read('readers = []\nlabel = "public"').folder.access("acme", SCALE).readers == frozenset()


def test_an_empty_list_of_readers_for_a_file_closes_it_though_the_folder_is_open() -> None:
    found = read('readers = ["everyone"]\n[files."a.txt"]\nreaders = []')
    assert found.of("a.txt").access("acme", SCALE).readers == frozenset()


def test_the_byte_order_mark_of_some_editors_is_no_fault() -> None:
    assert read_folder_access(b'\xef\xbb\xbflabel = "internal"', SCALE, name="x").folder.label == INTERNAL


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("label = ", "is not valid TOML"),
        ('label = "secret"', "'secret'; the scale is public, internal, confidential, restricted"),
        ("label = 1", "`label` must be a text"),
        ('lable = "internal"', "unknown key 'lable'"),
        ('readers = "everyone"', "`readers` must be a list of texts"),
        ("readers = [1]", "`readers` must be a list of texts"),
        ('readers = ["people"]', "'people' is not a reader"),
        ('readers = ["group:"]', "'group:' is not a reader"),
        ("files = 1", "`files` must hold a table"),
        ('files."a.txt" = "internal"', "'a.txt' must be a table"),
        ('[files."a.txt"]\nlabel = "secret"', "'a.txt': There is no label 'secret'"),
        ('[files."a.txt"]\nreader = ["everyone"]', "'a.txt' holds the unknown key 'reader'"),
        ('[files.salaries.xlsx]\nlabel = "internal"', "'salaries' holds the unknown key 'xlsx'"),
    ],
)
def test_a_fault_is_told_with_the_file_s_name(text: str, fault: str) -> None:
    with pytest.raises(InvalidAccessFile) as raised:
        read(text)
    assert raised.value.message.startswith("hr/.lastro.toml")
    assert fault in raised.value.message


def test_bytes_that_are_not_text_are_a_fault() -> None:
    with pytest.raises(InvalidAccessFile, match="is not valid TOML"):
        read_folder_access(b'label = "\xff"', SCALE, name="x")
