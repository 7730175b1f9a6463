"""Where sentences begin, in English and Portuguese: rules, no model, since chunks only need good places to cut."""

import re

# A full stop after these is no end of a sentence. Both languages together: documents mix them.
ABBREVIATION_WORDS = """
    dr dra sr sra srta prof profa exmo exma ilmo ilma eng adv av r al art arts inc cap caps p pp pg pág págs n nº núm
    num vol ed eds fig figs tab sec séc obs ex etc cf op cit et vs mr mrs ms jr st ltd ltda cia co corp
    dept approx
    jan fev feb abr apr jun jul ago aug sep sept oct nov dec e.g i.e a.m p.m u.s a.c d.c s.a
"""
ABBREVIATIONS = frozenset(ABBREVIATION_WORDS.split())
END = re.compile(r"[.!?…]+[\"'”’»)\]]*\s+(?=[\"'“‘«(\[¿¡•§-]?\s?[A-ZÀ-ÖØ-Þ0-9])|\n[ \t]*\n\s*")
WORD_BEFORE = re.compile(r"([\w.]+)$")
LONGEST_ABBREVIATION = 8


def sentence_starts(text: str, start: int, end: int) -> list[int]:
    """Positions inside `text[start:end]` at which a sentence or paragraph begins, but for the first; ascending."""
    return [match.end() for match in END.finditer(text, start, end) if match.end() < end and _ends(text, match)]


def line_starts(text: str, start: int, end: int) -> list[int]:
    """Positions inside `text[start:end]` at which a line begins, but for the first; ascending."""
    return [match.end() for match in re.compile(r"\n+").finditer(text, start, end) if match.end() < end]


def _ends(text: str, match: re.Match[str]) -> bool:
    if match.group()[0] != ".":
        return True
    before = WORD_BEFORE.search(text, max(match.start() - LONGEST_ABBREVIATION, 0), match.start())
    if before is None:
        return True
    word = before.group().lower()
    initial = len(word) == 1 and before.group().isupper()
    return not initial and word not in ABBREVIATIONS
