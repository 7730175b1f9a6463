"""Asks an embedding server, with the patience that a busy one deserves and no more."""

from collections.abc import Awaitable, Callable

import httpx

from retrieval.errors import EmbedderUnavailable, PermanentFailure

# After the last one the failure is the caller's: a job is tried again later, a question is answered with 503.
PAUSES = (0.5, 1.0, 2.0)
LONGEST_PAUSE = 20.0
_REMEDIES = {
    401: "Check `embedder.api_key`.",
    403: "Check `embedder.api_key`.",
    404: "Check `embedder.url` and `embedder.model`.",
}


class _Busy(EmbedderUnavailable):
    """The embedding server cannot answer now."""

    wait: float | None = None


async def post_patiently(
    client: httpx.AsyncClient, url: str, body: dict[str, str | list[str]], *, sleep: Callable[[float], Awaitable[None]]
) -> httpx.Response:
    """The answer with status 200, asked for up to four times.

    429, 5xx and broken connections are tried again after the pause that `Retry-After` asks for, else 0.5, 1 and 2 s;
    a pause over 20 s or a time-out is not waited for. Raises EmbedderUnavailable; PermanentFailure for other statuses.
    """
    for pause in PAUSES:
        try:
            return await _once(client, url, body)
        except _Busy as busy:
            if (wait := pause if busy.wait is None else busy.wait) > LONGEST_PAUSE:
                raise
            await sleep(wait)
    return await _once(client, url, body)


async def _once(client: httpx.AsyncClient, url: str, body: dict[str, str | list[str]]) -> httpx.Response:
    try:
        answer = await client.post(url, json=body)
    except httpx.TimeoutException as error:
        raise EmbedderUnavailable(f"{url} did not answer in time") from error
    except httpx.TransportError as error:
        raise _Busy(f"{url} does not answer: {type(error).__name__}") from error
    if answer.status_code == httpx.codes.OK:
        return answer
    if answer.status_code == httpx.codes.TOO_MANY_REQUESTS or answer.is_server_error:
        busy = _Busy(f"{url} answered {answer.status_code}")
        busy.wait = _seconds(answer.headers.get("Retry-After", ""))
        raise busy
    remedy = _REMEDIES.get(answer.status_code, "The embedding server's log says more.")
    raise PermanentFailure(f"{url} answered {answer.status_code}", remedy=remedy)


def _seconds(value: str) -> float | None:
    """Only the form in seconds; servers of this kind do not send dates."""
    return float(value) if value.strip().isdecimal() else None
