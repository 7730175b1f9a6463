"""Text comes out right in whatever character set it was written."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.adapters.charsets import decode, wide_charset

PORTUGUESE = "Não há exceções: a política de férias, à exceção do estágio, é válida também em São Paulo – até março."
JAPANESE = "名前,年齢,住所\n佐藤太郎,30,東京\n三木英子,25,大阪\n髙橋淳,35,名古屋"
RUSSIAN = "Правила предоставления отпуска сотрудникам компании. Каждый сотрудник имеет право на отпуск. " * 5


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-16-le", "utf-16-be", "cp1252"])
def test_portuguese_is_read_in_every_usual_set(charset: str) -> None:
    assert decode(PORTUGUESE.encode(charset)) == PORTUGUESE


@pytest.mark.parametrize("mark", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_a_byte_order_mark_is_believed_and_left_out(mark: str) -> None:
    assert decode("\ufeffvalor: 3 €".encode(mark)) == "valor: 3 €"


@pytest.mark.parametrize("charset", ["utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be"])
def test_wide_text_without_a_mark_is_known_by_its_zero_bytes(charset: str) -> None:
    assert wide_charset("Plain words only".encode(charset)) == charset


def test_latin_1_with_bytes_that_windows_does_not_know_is_still_read() -> None:
    assert decode("café \x81 São".encode("latin-1")) == "café \x81 São"


def test_japanese_of_windows_is_read_with_its_own_characters() -> None:
    assert decode(JAPANESE.encode("cp932")) == JAPANESE


def test_other_dense_sets_are_guessed() -> None:
    assert decode(RUSSIAN.encode("cp1251")) == RUSSIAN


def test_what_the_file_declares_counts_before_a_guess() -> None:
    data = "Wörter für alle".encode("iso-8859-15")
    assert decode(data, "iso-8859-15") == "Wörter für alle"
    assert decode("Łódź".encode("iso-8859-2"), "iso-8859-2") == "Łódź"


@pytest.mark.parametrize("declared", ["no-such-set", "hex", "rot13", "utf-8", "undefined", "nul\0name"])
def test_a_false_declaration_does_no_harm(declared: str) -> None:
    assert decode("café".encode("cp1252"), declared) == "café"


def test_valid_utf_8_counts_before_what_the_file_declares() -> None:
    assert decode("ação".encode(), "cp1252") == "ação"


def test_short_and_zero_free_bytes_are_not_wide() -> None:
    assert wide_charset(b"\0a") is None
    assert wide_charset(b"plain text") is None
    assert wide_charset(bytes(100)) is None


def test_a_cut_off_wide_text_loses_only_its_last_character() -> None:
    assert decode("words".encode("utf-16")[:-1]) == "word\ufffd"


@given(st.binary(max_size=400), st.text(max_size=10))
def test_no_bytes_and_no_declaration_raise(data: bytes, declared: str) -> None:
    assert isinstance(decode(data, declared), str)


@given(st.text(alphabet=st.characters(min_codepoint=1, exclude_categories=["Cs"])))
def test_utf_8_always_comes_back(text: str) -> None:
    encoded = text.encode()
    if not text.startswith("\ufeff"):
        assert decode(b"\xef\xbb\xbf" + encoded) == text
