"""The command line's side of the wire: the running server, or the same application inside this process."""

import mimetypes
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from api.folder import DataFolder
from api.headers import ACTING
from api.settings import Settings, connection
from api.wiring.entry import embedded_application

ANSWER_SECONDS = 600.0
Json = dict[str, Any]


class Refused(Exception):
    """The server answered with a problem document, or not at all."""

    def __init__(self, status: int, code: str, message: str, remedy: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to hand in: its name relative to what was named on the command line, and its bytes."""

    name: str
    data: bytes


class Client:
    """Speaks our HTTP and turns problem documents into `Refused`."""

    def __init__(self, http: httpx.AsyncClient, *, embedded: bool = False) -> None:
        self.http = http
        self.embedded = embedded

    async def get(self, path: str, **parameters: str | int | None) -> Json:
        """The JSON at that path."""
        given = {name: value for name, value in parameters.items() if value is not None}
        return json_of(await self._send("GET", path, params=given))

    async def ready(self) -> Json:
        """The state of each part, whether the server is ready or not."""
        response = await self._exchange("GET", "/readyz")
        if response.headers.get("content-type") != "application/json":
            raise refused(response)
        state: Json = response.json()
        return state

    async def all_of(self, path: str, **parameters: str | int | None) -> AsyncIterator[Json]:
        """Every item of a list, page after page."""
        cursor: str | None = None
        while True:
            page = await self.get(path, cursor=cursor, limit=200, **parameters)
            for item in page["items"]:
                yield item
            cursor = page["next"]
            if cursor is None:
                return

    async def content(self, path: str, **parameters: str) -> bytes:
        """The bytes at that path."""
        return (await self._send("GET", path, params=parameters)).content

    async def post(self, path: str, body: Json | None = None) -> Json:
        """What the server answers to the body."""
        return json_of(await self._send("POST", path, json=body))

    async def put(self, path: str, body: Json) -> Json:
        """What the server answers to the body."""
        return json_of(await self._send("PUT", path, json=body))

    async def delete(self, path: str) -> None:
        """Delete what is there."""
        await self._send("DELETE", path)

    async def upload(self, uploads: Sequence[Upload], fields: Mapping[str, str | list[str]]) -> Json:
        """Hand files in."""
        files = [("files", (upload.name, upload.data, media_type(upload.name))) for upload in uploads]
        return json_of(await self._send("POST", "/v1/documents", files=files, data=dict(fields)))

    async def _send(self, method: str, path: str, **content: Any) -> httpx.Response:
        response = await self._exchange(method, path, **content)
        if response.is_success:
            return response
        raise refused(response)

    async def _exchange(self, method: str, path: str, **content: Any) -> httpx.Response:
        try:
            return await self.http.request(method, path, **content)
        except httpx.TransportError as error:
            message = f"The server at {self.http.base_url} does not answer."
            raise Refused(503, "server_unreachable", message, "Check that it runs.") from error


def json_of(response: httpx.Response) -> Json:
    """The object in a response."""
    found: Json = response.json()
    return found


def refused(response: httpx.Response) -> Refused:
    """The problem that the server told of; of another kind of answer only the status."""
    phrase = HTTPStatus(response.status_code).phrase
    if response.headers.get("content-type") != "application/problem+json":
        return Refused(response.status_code, "error", f"The server answered {phrase}.", "Check `LASTRO_URL`.")
    told = response.json()
    return Refused(response.status_code, told["code"], told["detail"], told["remedy"])


def media_type(name: str) -> str:
    """A guess for the header; the server looks at the bytes."""
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def running_server(settings: Settings) -> str | None:
    """The address of the server that commands talk to; None when they open the data folder themselves."""
    return connection().url or DataFolder(settings.data_dir).server()


@asynccontextmanager
async def connected(
    settings: Settings, *, acting_as: str | None = None, working: bool = False
) -> AsyncIterator[Client]:
    """A client of the server that runs or, when none does, of the same application in this process.

    `working` says that jobs are to be carried out here when no server does it.

    Raises NotInitialised, DataFolderInUse when another command works in the folder for too long.
    """
    given = connection()
    folder = DataFolder(settings.data_dir)
    address = running_server(settings)
    headers = {"Authorization": f"Bearer {given.api_key or folder.token()}"}
    if acting_as is not None:
        headers[ACTING] = acting_as
    if address:
        async with httpx.AsyncClient(
            base_url=address, headers=headers, timeout=ANSWER_SECONDS, trust_env=bool(given.url)
        ) as http:
            yield Client(http)
        return
    async with embedded_application(settings, working=working) as app:
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(
            transport=transport, base_url="http://embedded", headers=headers, timeout=ANSWER_SECONDS
        ) as http:
            yield Client(http, embedded=True)
