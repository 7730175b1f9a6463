"""What serving needs from outside. Each port has one contract suite in `tests/contract`."""

from collections.abc import AsyncGenerator
from typing import Protocol
from uuid import UUID

from retrieval.access import Principal
from retrieval.model import Evidence, ParsedDocument, SearchFilters
from serving.model import Delta, Prompt


class ChatModel(Protocol):
    """A language model that runs in-house."""

    @property
    def name(self) -> str:
        """The model as answers name it."""

    @property
    def context_tokens(self) -> int:
        """How many tokens of prompt and draft together it takes, or gets through in bearable time."""

    def draft(self, prompt: Prompt) -> AsyncGenerator[Delta]:
        """Deltas in order; a DraftEnd comes last. Closing the generator stops the model.

        Raises ModelUnavailable (also when the stream breaks off), ModelTimedOut, ModelOverloaded, WrongModel,
        ModelRejected.
        """

    async def check(self) -> None:
        """Return when the model is ready and is the configured one; else raise as `draft` does."""

    async def close(self) -> None:
        """Let go of processes and connections; closing twice is harmless."""


class EvidenceFinder(Protocol):
    """The library as answering sees it."""

    async def evidence(self, question: str, *, reader: Principal, filters: SearchFilters, limit: int) -> Evidence:
        """The best passages that the reader may read."""

    async def parsed(self, document: UUID, version: str | None, *, reader: Principal) -> ParsedDocument:
        """The stored text, with its pages, that citations are checked against. Raises NotFound."""
