"""Making a data folder, and comparing what lies in one."""

from collections.abc import Sequence

from api.accounts import Accounts
from api.auth import Role, User
from api.folder import DataFolder
from api.settings import Settings
from api.wiring.instants import COMMAND_PATIENCE_SECONDS, now
from api.wiring.stores import database
from retrieval.errors import PermanentFailure
from retrieval.upkeep import Difference

ADMINISTRATOR = "admin"


class AlreadyInitialised(PermanentFailure):
    """This data folder has an administrator already."""

    code = "already_initialised"
    remedy = "Make another key with `lastro keys create --user admin --role administrator`."


async def initialise(settings: Settings) -> str:
    """Make the data folder and the first administrator; the administrator's key. Raises AlreadyInitialised."""
    folder = DataFolder(settings.data_dir)
    folder.make()
    with folder.locked(COMMAND_PATIENCE_SECONDS):
        if folder.token():
            raise AlreadyInitialised(f"The data folder {folder.path} has an administrator already.")
        tables = database(settings)
        try:
            await tables.migrate()
            accounts = Accounts(tables, clock=now)
            highest = settings.scale.highest.name
            user = User(settings.tenant, ADMINISTRATOR, frozenset(), highest, Role.ADMINISTRATOR)
            _, key = await accounts.create_key(user)
            _, token = await accounts.create_key(user)
        finally:
            await tables.close()
        # Last: the token is what says that the folder is whole.
        folder.write_token(token)
    return key


async def differences(settings: Settings, *, repair: bool) -> Sequence[Difference]:
    """Where catalogue, index and files disagree, repaired if wanted. Raises NotInitialised, DataFolderInUse."""
    from api.wiring.application import stock
    from api.wiring.tree import index

    folder = DataFolder(settings.data_dir)
    with folder.locked(COMMAND_PATIENCE_SECONDS):
        async with index(settings, folder) as socket_path, stock(settings, socket_path) as held:
            return await (held.library.repair() if repair else held.library.differences())
