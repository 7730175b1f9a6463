"""PDF files give their text page by page, or say what is wrong with them."""

import io
from collections.abc import Callable
from dataclasses import replace

import pytest
from reportlab.lib import pdfencrypt
from reportlab.lib.pagesizes import A4
from reportlab.lib.utils import ImageReader
from reportlab.pdfgen.canvas import Canvas

from ingest.adapters import pdfium
from ingest.adapters.pdf_layout import Line
from ingest.adapters.pdfium import read
from ingest.errors import DamagedFile, EncryptedFile, NeedsOcr, NoTextFound, TooManyPages
from ingest.model import ParseLimits
from retrieval.model import BlockKind, ParsedDocument

LIMITS = ParseLimits()
PICTURE = b"P6 8 8 255\n" + bytes(range(192))


def pdf(*pages: Callable[[Canvas], object], title: str = "", password: str | None = None) -> bytes:
    out = io.BytesIO()
    canvas = Canvas(out, pagesize=A4, encrypt=password, invariant=1)
    canvas.setTitle(title or "untitled")
    for draw in pages:
        draw(canvas)
        canvas.showPage()
    canvas.save()
    return out.getvalue()


def words(*lines: str, size: float = 11, top: float = 800) -> Callable[[Canvas], None]:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica", size)
        for n, line in enumerate(lines):
            canvas.drawString(72, top - n * 1.2 * size, line)

    return draw


def picture(canvas: Canvas) -> None:
    canvas.drawImage(ImageReader(io.BytesIO(PICTURE)), 72, 400, 300, 300)


def both(*drawings: Callable[[Canvas], object]) -> Callable[[Canvas], None]:
    def draw(canvas: Canvas) -> None:
        for drawing in drawings:
            drawing(canvas)

    return draw


PROSE = words("Every employee has a right to thirty days of leave", "in each year, and may carry five of them over.")


def pages(parsed: ParsedDocument) -> list[str]:
    return [parsed.text[page.start : page.end] for page in parsed.pages]


def test_pages_have_numbers_and_exact_spans() -> None:
    parsed = read(pdf(PROSE, words("Second page with some more words on it.")), LIMITS)
    assert [page.n for page in parsed.pages] == [1, 2]
    assert pages(parsed)[1] == "Second page with some more words on it."
    assert parsed.text == "\n\n".join(pages(parsed))
    assert parsed.media_type == "application/pdf"


def test_lines_of_a_paragraph_are_joined() -> None:
    parsed = read(pdf(PROSE), LIMITS)
    assert "days of leave in each year" in parsed.text


def test_a_word_broken_over_two_lines_is_whole_again() -> None:
    draw = words("The embedder needs more memory than an ex-", "tractive model that finds the same words.", "End.")
    assert "extractive model" in read(pdf(draw), LIMITS).text


def test_large_lines_are_headings_and_name_a_document_without_title() -> None:
    parsed = read(pdf(both(words("Leave policy", size=22), words(*["body " * 12] * 5, top=700))), LIMITS)
    assert parsed.blocks[0].kind is BlockKind.HEADING
    assert parsed.title == "Leave policy"


def test_bold_lines_are_headings() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setFont("Helvetica-Bold", 11)
        canvas.drawString(72, 800, "Objective")
        words(*["body text that is not bold at all"] * 8, top=786)(canvas)

    assert [block.kind.value for block in read(pdf(draw), LIMITS).blocks] == ["heading", "text"]


@pytest.mark.parametrize(
    ("written", "title"),
    [
        ("Travel policy", "Travel policy"),
        ("Microsoft Word - Travel policy", "Travel policy"),
        ("untitled", ""),
        ("Microsoft Word - travel.docx", ""),
        ("report.indd", ""),
    ],
)
def test_the_title_of_the_file_counts_unless_a_program_made_it_up(written: str, title: str) -> None:
    assert read(pdf(PROSE, title=written), LIMITS).title == title


def test_ligatures_are_letters() -> None:
    assert "eﬃcient ﬁle ﬂow".translate(pdfium.LIGATURES) == "efficient file flow"


def test_a_page_that_is_a_picture_is_named_beside_pages_of_text() -> None:
    parsed = read(pdf(PROSE, picture, PROSE), LIMITS)
    assert parsed.warnings == ("pages with pictures but hardly any text: 2",)
    assert [page.end > page.start for page in parsed.pages] == [True, False, True]


def test_only_the_first_picture_pages_are_listed() -> None:
    parsed = read(pdf(*[both(PROSE)] * 30, *[picture] * 25), LIMITS)
    assert parsed.warnings[0].endswith("50, …")


@pytest.mark.parametrize("drawings", [[picture], [picture, picture, PROSE], [both(picture, words("stamp"))]])
def test_a_scan_needs_text_recognition(drawings: list[Callable[[Canvas], object]]) -> None:
    with pytest.raises(NeedsOcr, match="are pictures"):
        read(pdf(*drawings), LIMITS)


def test_an_empty_page_holds_no_text() -> None:
    with pytest.raises(NoTextFound):
        read(pdf(lambda canvas: None), LIMITS)


def test_few_words_without_a_picture_are_text() -> None:
    assert read(pdf(words("Yes.")), LIMITS).text == "Yes."


def test_encrypted_files_are_refused() -> None:
    with pytest.raises(EncryptedFile):
        read(pdf(PROSE, password="secret"), LIMITS)


def test_more_pages_than_the_limit_are_refused() -> None:
    with pytest.raises(TooManyPages, match="2 pages; the limit is 1"):
        read(pdf(PROSE, PROSE), replace(LIMITS, pages=1))


def test_a_file_that_was_cut_off_is_refused_even_where_pages_can_be_saved() -> None:
    whole = pdf(*[PROSE] * 20)
    for share in (0.3, 0.6, 0.9):
        with pytest.raises(DamagedFile):
            read(whole[: int(share * len(whole))], LIMITS)


@pytest.mark.parametrize("data", [b"%PDF-1.7\n", b"%PDF-1.7\n" + bytes(range(256)) * 9])
def test_bytes_that_only_begin_like_a_pdf_are_damage(data: bytes) -> None:
    with pytest.raises(DamagedFile):
        read(data, LIMITS)


def test_a_page_tree_that_turns_in_a_circle_is_damage() -> None:
    data = (
        b"%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n"
        b"2 0 obj\n<</Type/Pages/Count 1/Kids[2 0 R]>>\nendobj\n"
        b"trailer\n<</Root 1 0 R>>\nstartxref\n0\n%%EOF"
    )
    with pytest.raises((DamagedFile, NoTextFound)):
        read(data, LIMITS)


def test_a_turned_page_is_read_line_by_line() -> None:
    def draw(canvas: Canvas) -> None:
        canvas.setPageRotation(90)
        PROSE(canvas)

    assert read(pdf(draw), LIMITS).text.count("\n") == 1


def test_filled_forms_are_read_as_if_printed() -> None:
    def draw(canvas: Canvas) -> None:
        PROSE(canvas)
        canvas.acroForm.textfield(name="who", value="Maria Silva", x=72, y=500, width=200, height=20)

    assert "Maria Silva" in read(pdf(draw), LIMITS).text


def test_a_text_layer_of_signs_without_meaning_counts_as_none() -> None:
    assert pdfium._garbled([Line("\ufffd\ufffd\ue001a")])
    assert not pdfium._garbled([Line("plain words \ue001")])
    assert not pdfium._garbled([])


def test_a_page_whose_text_layer_means_nothing_is_treated_as_a_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdfium, "_garbled", lambda lines: True)
    with pytest.raises(NeedsOcr):
        read(pdf(both(PROSE, picture)), LIMITS)


def test_a_document_without_pages_holds_no_text() -> None:
    data = (
        b"%PDF-1.4\n1 0 obj\n<</Type/Catalog/Pages 2 0 R>>\nendobj\n"
        b"2 0 obj\n<</Type/Pages/Count 0/Kids[]>>\nendobj\n"
        b"trailer\n<</Root 1 0 R>>\nstartxref\n0\n%%EOF"
    )
    with pytest.raises((NoTextFound, DamagedFile)):
        read(data, LIMITS)


def test_a_broken_word_keeps_its_two_lines_together() -> None:
    text = "one ex\ufffe\r\ntractive\r\ntwo\r\nen\ufffe\r\ndless\ufffe\r\nly"
    assert [text[start:end] for start, end in pdfium._spans(text)] == [
        "one ex\ufffe\r\ntractive",
        "two",
        "en\ufffe\r\ndless\ufffe\r\nly",
    ]


def test_letters_without_a_place_make_a_line_without_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdfium.pdfium_c, "FPDFText_GetLooseCharBox", lambda *arguments: 0)
    assert read(pdf(PROSE), LIMITS).text.count("\n") == 1


def test_an_owner_s_password_alone_does_not_keep_readers_out() -> None:
    protected = pdfencrypt.StandardEncryption("", ownerPassword="owner", canPrint=0)
    out = io.BytesIO()
    canvas = Canvas(out, encrypt=protected)
    PROSE(canvas)
    canvas.save()
    assert "thirty days" in read(out.getvalue(), LIMITS).text


def test_the_same_bytes_give_the_same_document() -> None:
    data = pdf(PROSE, words("More", "words"))
    assert read(data, LIMITS) == read(data, LIMITS)
