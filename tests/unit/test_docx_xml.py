"""Nothing that stands in a Word document is lost before it is read, and nothing hidden comes along."""

import io
import zipfile

import pytest
from lxml import etree

from ingest.adapters.docx_xml import W, prepare
from ingest.errors import DamagedFile

NAMESPACES = (
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" '
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006" '
    'xmlns:wps="http://schemas.microsoft.com/office/word/2010/wordprocessingShape"'
)


def run(text: str, properties: str = "") -> str:
    return f"<w:r><w:rPr>{properties}</w:rPr><w:t>{text}</w:t></w:r>"


def paragraph(*content: str) -> str:
    return f"<w:p>{''.join(content)}</w:p>"


def packed(body: str, **parts: str) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as container:
        container.writestr("word/document.xml", f"<w:document {NAMESPACES}><w:body>{body}</w:body></w:document>")
        for name, content in parts.items():
            container.writestr(f"word/{name}.xml", content)
    return out.getvalue()


def seen(data: bytes) -> list[str]:
    """The texts of the paragraphs as python-docx sees them: runs directly in paragraphs."""
    with zipfile.ZipFile(io.BytesIO(prepare(data)[0])) as container:
        root = etree.fromstring(container.read("word/document.xml"))
    paragraphs = root.iter(f"{W}p")
    return ["".join(text.text or "" for text in one.iterfind(f"{W}r/{W}t")) for one in paragraphs]


def control(content: str) -> str:
    return f"<w:sdt><w:sdtPr><w:alias/></w:sdtPr><w:sdtContent>{content}</w:sdtContent></w:sdt>"


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (paragraph(run("plain")), ["plain"]),
        (control(paragraph(run("in a control"))), ["in a control"]),
        (control(control(paragraph(run("in two")))), ["in two"]),
        (paragraph(run("a "), control(run("b")), run(" c")), ["a b c"]),
        (paragraph(run("a "), f"<w:ins>{run('added')}</w:ins>"), ["a added"]),
        (paragraph(run("a "), f"<w:del>{run('deleted')}</w:del>"), ["a "]),
        (paragraph(f"<w:moveFrom>{run('old')}</w:moveFrom><w:moveTo>{run('new')}</w:moveTo>"), ["new"]),
        (paragraph(f"<w:smartTag>{run('Lisbon')}</w:smartTag>"), ["Lisbon"]),
        (paragraph(f"<w:fldSimple>{run('12')}</w:fldSimple>"), ["12"]),
        (paragraph(run("a"), f"<w:ins>{control(run('b'))}</w:ins>"), ["ab"]),
        (paragraph(run("x = "), "<m:oMath><m:r><m:t>a</m:t></m:r><m:r><m:t>+b</m:t></m:r></m:oMath>"), ["x = a+b"]),
        (paragraph("<m:oMathPara><m:oMath><m:r><m:t>c</m:t></m:r></m:oMath></m:oMathPara>"), ["c"]),
    ],
)
def test_everything_comes_to_where_it_is_seen(body: str, texts: list[str]) -> None:
    assert seen(packed(body)) == texts


def test_a_text_box_follows_the_paragraph_it_floats_at_once() -> None:
    box = f"<w:txbxContent>{paragraph(run('one'))}{paragraph(run('two'))}</w:txbxContent>"
    drawing = (
        f"<w:r><mc:AlternateContent><mc:Choice><wps:txbx>{box}</wps:txbx></mc:Choice>"
        f"<mc:Fallback><w:pict>{box}</w:pict></mc:Fallback></mc:AlternateContent></w:r>"
    )
    assert seen(packed(paragraph(run("host"), drawing) + paragraph(run("after")))) == ["host", "one", "two", "after"]


def test_notes_come_at_the_end_before_the_section_s_properties() -> None:
    notes = (
        f"<w:footnotes {NAMESPACES}><w:footnote w:type='separator'>{paragraph(run('rule'))}</w:footnote>"
        f"<w:footnote>{paragraph(run('See annex.'))}</w:footnote><w:footnote>{paragraph()}</w:footnote></w:footnotes>"
    )
    ends = notes.replace("footnote", "endnote").replace("See annex.", "The end.")
    data = packed(paragraph(run("text")) + "<w:sectPr/>", footnotes=notes, endnotes=ends)
    assert seen(data) == ["text", "See annex.", "The end."]
    assert seen(packed(paragraph(run("text")), footnotes=notes)) == ["text", "See annex."]


@pytest.mark.parametrize(
    ("properties", "hidden"),
    [("<w:vanish/>", 1), ('<w:vanish w:val="1"/>', 1), ('<w:vanish w:val="0"/>', 0), ("<w:b/>", 0)],
)
def test_hidden_runs_go_and_are_counted(properties: str, hidden: int) -> None:
    data = packed(paragraph(run("seen"), run("hidden", properties)))
    assert prepare(data)[1] == hidden
    assert seen(data) == ["seen" if hidden else "seenhidden"]


def test_hidden_runs_without_words_are_not_counted() -> None:
    assert prepare(packed(paragraph(run(" ", "<w:vanish/>"), run("seen"))))[1] == 0


@pytest.mark.parametrize("charset", ["utf-8", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("part", ["document", "styles"])
def test_a_document_type_declaration_is_refused_in_any_part(part: str, charset: str) -> None:
    xml = '<!DOCTYPE d [<!ENTITY e SYSTEM "file:///etc/passwd">]><d>&e;</d>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as container:
        container.writestr(f"word/{part}.xml", xml.encode(charset))
    with pytest.raises(DamagedFile, match="document type"):
        prepare(out.getvalue())


def test_broken_xml_and_a_missing_body_are_damage() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as container:
        container.writestr("word/document.xml", "<w:document")
    with pytest.raises(DamagedFile, match="XML"):
        prepare(out.getvalue())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as container:
        container.writestr("word/document.xml", f"<w:document {NAMESPACES}/>")
    with pytest.raises(DamagedFile, match="body"):
        prepare(out.getvalue())


def test_a_container_with_another_main_part_is_left_as_it_is() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as container:
        container.writestr("word/other.xml", "<x/>")
    assert prepare(out.getvalue()) == (out.getvalue(), 0)
