"""What some models want in front of a text, because they were trained with it."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prefixes:
    """Put before each question and each passage."""

    query: str = ""
    passage: str = ""


def prefixes_for(model: str) -> Prefixes:
    """By the model's name or folder: E5 has its two words, all others none; the instruct forms of E5 are others."""
    name = model.lower().replace("_", "-").rstrip("/").rsplit("/", 1)[-1]
    if "e5" in name.split("-") and "instruct" not in name:
        return Prefixes(query="query: ", passage="passage: ")
    return Prefixes()
