"""Puts a question and its passages into words for a model, in the language of the question.

Passages are data. They stand between delimiters that nothing inside them can close, and whatever in them looks like a
delimiter or a control token of a chat template is defused. That keeps a document from ending its own quotation; it
cannot keep a model from believing what a document says, which is why every claim is checked afterwards.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Final

from retrieval.model import Language, Passage
from serving.model import Message, Prompt, RefusalReason
from serving.sentences import sentences

_FILE = Path(__file__).with_name("prompts.json")
_BYTES = _FILE.read_bytes()
_WORDING = json.loads(_BYTES)

# Changes with every change of the wording; stands in logs and in what is measured.
VERSION: Final = sha256(_BYTES).hexdigest()[:12]
CHARACTERS_PER_TOKEN = 3.5
# A passage cut shorter than this says too little to be worth its place.
LEAST_TOKENS = 60
LEAST_CHARACTERS = 100
LONGEST_TITLE = 120

# The beginnings of tags and of chat templates' control tokens: `</passage>`, `<|im_end|>`, `<s>`, `[INST]`.
_TAGS = re.compile(r"[<＜﹤](?=[/／|<＜﹤A-Za-z_]|\s*[/／|]|\s*passage)", re.IGNORECASE)
_TEMPLATE = re.compile(r"\[(?=\s*/?\s*(?:INST|SYS)\b)", re.IGNORECASE)
_INVISIBLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff\U000e0000-\U000e007f]")


@dataclass(frozen=True, slots=True)
class Room:
    """What fits into the model's context: all of it, the part kept free for the answer, and how tokens are counted."""

    context_tokens: int = 4096
    answer_tokens: int = 400
    count: Callable[[str], int] | None = None

    def tokens(self, text: str) -> int:
        """Tokens of a text, estimated from its length if there is no counter."""
        return self.count(text) if self.count else int(len(text) / CHARACTERS_PER_TOKEN) + 1


def compose(
    question: str,
    language: Language,
    passages: Sequence[Passage],
    room: Room,
    translations: Mapping[Language, str] | None = None,
) -> Prompt:
    """The prompt, with as many of the passages, best first, as there is room for; at least a piece of the best."""
    wording = _WORDING[language]
    asked = wording["question"].format(question=defused(question))
    fixed = wording["instructions"] + wording["passages"] + asked
    left = room.context_tokens - room.answer_tokens - room.tokens(fixed) - 16
    kept = _fitting(passages, room, max(left, LEAST_TOKENS))
    quoted = "\n".join(_quoted(n, passage, text) for n, (passage, text) in enumerate(kept, 1))
    return Prompt(
        question=question,
        language=language,
        passages=tuple(passage for passage, _ in kept),
        messages=(
            Message("system", wording["instructions"]),
            Message("user", f"{wording['passages']}\n{quoted}\n\n{asked}"),
        ),
        max_tokens=room.answer_tokens,
        translations=translations or {},
    )


def refusal_message(reason: RefusalReason, language: Language) -> str:
    """What the reader is told."""
    return str(_WORDING[language]["refusals"][reason])


def defused(text: str) -> str:
    """The text without invisible characters, and without anything that could be taken for our or a template's marks."""
    return _TEMPLATE.sub("(", _TAGS.sub("‹", _INVISIBLE.sub("", text)))


def _fitting(passages: Sequence[Passage], room: Room, left: int) -> list[tuple[Passage, str]]:
    kept: list[tuple[Passage, str]] = []
    for passage in passages:
        needed = room.tokens(_quoted(len(kept) + 1, passage, passage.chunk.text))
        if needed <= left:
            kept.append((passage, passage.chunk.text))
            left -= needed
            continue
        if not kept or left >= 2 * LEAST_TOKENS:
            kept.append(_shortened(passage, room, left))
        break
    return kept


def _shortened(passage: Passage, room: Room, tokens: int) -> tuple[Passage, str]:
    """As many whole sentences of the passage as fit, or else as many characters."""
    text = passage.chunk.text
    frame = room.tokens(_quoted(1, passage, ""))
    ends = [end for _, end in sentences(text) if room.tokens(text[:end]) + frame <= tokens]
    end = ends[-1] if ends else len(text)
    while not ends and end > LEAST_CHARACTERS and room.tokens(text[:end]) + frame > tokens:
        end = end * 4 // 5
    chunk = passage.chunk
    return replace(passage, chunk=replace(chunk, text=text[:end], end=chunk.start + len(text[:end]))), text[:end]


def _quoted(n: int, passage: Passage, text: str) -> str:
    title = " ".join(defused(passage.chunk.context).split())[:LONGEST_TITLE].replace('"', "'")
    return f'<passage n="{n}" from="{title}">\n{defused(text)}\n</passage>'
