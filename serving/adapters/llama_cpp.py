"""A model in the house without a server of its own: llama.cpp in a child process, reached over loopback.

One thread less than there are cores: with as many threads as cores, llama.cpp's spinning barriers fall to a twentieth
of their speed as soon as anything else runs (measured: 30 tokens a second quiet, 1 busy).
"""

import asyncio
import json
import os
import secrets
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing, suppress
from pathlib import Path

import structlog

from serving.adapters.openai_compatible import DEFAULT_TIMEOUTS, OpenAICompatibleModel, Timeouts
from serving.errors import ModelRejected, ModelTimedOut, ModelUnavailable
from serving.model import Delta, Prompt

MODULE = "serving.adapters.llama_process"
PATIENCE = 5.0
BEARABLE_TOKENS = 2_000

log = structlog.get_logger()


class LlamaCppModel:
    """Port `ChatModel`. The process is started by the first `check` or `draft`, and again after it died."""

    def __init__(
        self,
        model_path: Path,
        *,
        threads: int = 0,
        context_tokens: int = 4096,
        bearable_tokens: int = BEARABLE_TOKENS,
        name: str = "",
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        ready_within: float = 60.0,
        new_key: Callable[[], str] = secrets.token_urlsafe,
    ) -> None:
        """`threads` 0 means one less than there are cores; `name` is the file's unless it is given.

        `bearable_tokens` bounds prompt and draft below what fits into the context: a core reads about 50 a second.
        """
        self.context_tokens = min(context_tokens, bearable_tokens)
        self.name = name or model_path.stem
        self._model_path = model_path
        self._threads = threads or max(1, len(os.sched_getaffinity(0)) - 1)
        self._window = context_tokens
        self._timeouts, self._ready_within, self._new_key = timeouts, ready_within, new_key
        self._process: Process | None = None
        self._model: OpenAICompatibleModel | None = None
        self._starting = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The process that runs now, if one does."""
        return self._process.pid if self._process and self._process.returncode is None else None

    async def check(self) -> None:
        """Start the process if need be and wait until it answers. Raises ModelUnavailable, ModelRejected."""
        await self._running()

    async def draft(self, prompt: Prompt) -> AsyncGenerator[Delta]:
        """Stream a draft; see the port."""
        model = await self._running()
        async with aclosing(model.draft(prompt)) as deltas:
            async for delta in deltas:
                yield delta

    async def close(self) -> None:
        """End the process."""
        async with self._starting:
            await self._stop()

    async def _running(self) -> OpenAICompatibleModel:
        async with self._starting:
            if self._model is not None and self.pid is not None:
                with suppress(ModelUnavailable):
                    await self._answering(self._model)
                    return self._model
            await self._stop()
            return await self._start()

    @staticmethod
    async def _answering(model: OpenAICompatibleModel) -> None:
        """Raise ModelUnavailable if nothing answers; a process that was killed may not have been buried yet."""
        try:
            await model.check()
        except ModelTimedOut:
            log.warning("llama.slow")

    async def _start(self) -> OpenAICompatibleModel:
        if not self._model_path.is_file():
            raise ModelRejected(f"There is no model file {self._model_path}.", remedy="Run `lastro models pull`.")
        # -P: the current folder must not be able to stand in for our packages.
        command = [sys.executable, "-P", "-m", MODULE]
        self._process = await asyncio.create_subprocess_exec(*command, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
        key = self._new_key()
        async with AsyncExitStack() as undo:
            undo.push_async_callback(self._stop)
            url = await self._ready(self._process, key)
            undo.pop_all()
        log.info("llama.started", pid=self._process.pid, threads=self._threads)
        self._model = OpenAICompatibleModel(url, self.name, api_key=key, timeouts=self._timeouts)
        return self._model

    async def _ready(self, process: Process, key: str) -> str:
        """The address at which it listens, once it does."""
        if process.stdin is None or process.stdout is None:
            raise ModelUnavailable("The language model's process has no pipes.")
        options = {
            "model_path": str(self._model_path),
            "name": self.name,
            "api_key": key,
            "threads": self._threads,
            "context_tokens": self._window,
        }
        process.stdin.write(json.dumps(options).encode() + b"\n")
        said = b""
        with suppress(TimeoutError):
            said = await asyncio.wait_for(process.stdout.readline(), self._ready_within)
        try:
            return str(json.loads(said)["url"])
        except ValueError as error:
            raise ModelUnavailable(
                "The language model's process ended before it was ready, or took too long."
            ) from error

    async def _stop(self) -> None:
        """Close its standard input, which ends it; kill it when it does not end."""
        process, model = self._process, self._model
        self._process = self._model = None
        if model is not None:
            await model.close()
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            await asyncio.wait_for(process.wait(), PATIENCE)
        except TimeoutError:
            process.kill()
            await process.wait()
