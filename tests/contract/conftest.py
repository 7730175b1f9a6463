"""A PostgreSQL of the tests' own: Debian's package, a temporary folder, a Unix socket, gone with the test run."""

import os
import pwd
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, make_url, text
from sqlalchemy.pool import NullPool

from retrieval.access import LabelScale
from retrieval.adapters.memory import MemoryCatalogue
from retrieval.adapters.sql_catalogue import SqlCatalogue
from retrieval.adapters.sql_database import Database
from retrieval.adapters.sql_migrations import migrate
from retrieval.ports import Catalogue

TEMPLATE = "lastro_template"
# The server ends when its standard input does: it cannot outlive the test run, however that dies.
RUN = """
"$1/postgres" -D "$2" -k "$2" -c listen_addresses= -c fsync=off -c synchronous_commit=off >"$2/log" 2>&1 &
server=$!
cat >/dev/null
kill -QUIT $server
wait $server
"""


def binaries() -> Path | None:
    """The newest installed server's programs; they are not on the path in Debian."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


def as_other() -> list[str]:
    """PostgreSQL refuses to run as root."""
    return ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []


def address(folder: Path, database: str) -> str:
    return f"postgresql+psycopg://postgres@/{database}?host={folder}"


def execute(folder: Path, statement: str) -> None:
    engine = create_engine(address(folder, "postgres"), poolclass=NullPool, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(statement))


def wait_until_ready(programs: Path, folder: Path, server: "subprocess.Popen[bytes]") -> None:
    ready = [str(programs / "pg_isready"), "-q", "-h", str(folder), "-U", "postgres"]
    until = time.monotonic() + 30
    while subprocess.run(ready, check=False).returncode != 0:
        if server.poll() is not None or time.monotonic() > until:
            pytest.fail((folder / "log").read_text())
        time.sleep(0.05)


@pytest.fixture(scope="session")
def postgres_folder() -> Iterator[Path]:
    """The socket folder of a running server that holds one migrated database to copy."""
    programs = binaries()
    if programs is None:
        pytest.skip("no PostgreSQL is installed: apt-get install postgresql")
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    if as_other():
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
    initialise = [str(programs / "initdb"), "-D", str(folder), "-U", "postgres", "-A", "trust", "-N", "-E", "UTF8"]
    subprocess.run([*as_other(), *initialise], check=True, capture_output=True, cwd="/")
    command = [*as_other(), "sh", "-c", RUN, "sh", str(programs), str(folder)]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, cwd="/")
    try:
        wait_until_ready(programs, folder, server)
        execute(folder, f"CREATE DATABASE {TEMPLATE}")
        migrate(make_url(address(folder, TEMPLATE)), patience_seconds=10)
        yield folder
    finally:
        assert server.stdin is not None
        server.stdin.close()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite file to copy."""
    file = tmp_path_factory.mktemp("sqlite") / "template.db"
    migrate(make_url(f"sqlite:///{file}"), patience_seconds=10)
    return file


@pytest.fixture
def migrated_sqlite(sqlite_template: Path, tmp_path: Path) -> str:
    """The address of a SQLite database with all tables and no rows."""
    shutil.copy(sqlite_template, tmp_path / "lastro.db")
    return f"sqlite:///{tmp_path / 'lastro.db'}"


@pytest.fixture
def migrated_postgresql(postgres_folder: Path) -> str:
    """The address of a PostgreSQL database with all tables and no rows."""
    return new_postgres(postgres_folder, TEMPLATE)


@pytest.fixture(params=["sqlite", "postgresql"])
def migrated_url(request: pytest.FixtureRequest) -> str:
    """The address of a database with all tables and no rows, once for each kind of database."""
    url: str = request.getfixturevalue(f"migrated_{request.param}")
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of a database without any table, once for each kind of database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'empty.db'}"
    return new_postgres(request.getfixturevalue("postgres_folder"), "template0")


def new_postgres(folder: Path, template: str) -> str:
    name = f"t{uuid.uuid4().hex}"
    execute(folder, f"CREATE DATABASE {name} TEMPLATE {template}")
    return address(folder, name)


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """A migrated database, once on SQLite and once on PostgreSQL."""
    opened = Database(migrated_url)
    yield opened
    await opened.close()


class Ticking:
    """A clock that moves on by a second each time it is read."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 8, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=1)
        return self.now


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def catalogue(request: pytest.FixtureRequest) -> AsyncIterator[Catalogue]:
    """An empty catalogue of each kind, with the default labels."""
    if request.param == "memory":
        yield MemoryCatalogue(LabelScale(), Ticking())
        return
    url = request.getfixturevalue(f"migrated_{request.param}")
    opened = SqlCatalogue(Database(url), LabelScale(), Ticking())
    yield opened
    await opened.close()
