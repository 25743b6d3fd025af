"""One bouncer serves from a database. Of a file the lock on the data directory sees to that; a
server can be reached from several machines, where two would connect everybody twice and keep what
they hear twice.

The session that writes holds a lock of the server's: who has lost it cannot write. Each session
that takes the place of one that was ended has to get it first.
"""

from __future__ import annotations

import time
from typing import Any

from sqlalchemy import Connection, event

from storage.errors import OutOfReach, Taken

HANDOVER_S = 10.0  # one that is being stopped may take 5 s
RETRY_S = 0.2
GHOST_S = 1.0  # how long a session of ours that was told to end may take
_SERVING = 0x4D75737465720002  # of advisory locks, which are numbers
_TAKE = f"SELECT pg_try_advisory_lock({_SERVING})"
_WHO = "SELECT pid, backend_start::text FROM pg_stat_activity WHERE pid = pg_backend_pid()"
_END = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
    "WHERE pid = %s AND backend_start::text = %s"
)
# The lock ends with the session: that of a machine that died without a word within a minute.
_KEEPALIVES = {"idle": 20, "interval": 10, "count": 4}


OWN = "stop it, or give this one a database of its own"


def reserve(connection: Connection, wait_s: float | None = None, what_to_do: str = OWN) -> None:
    """Be the only one for as long as the connection, or one that its engine makes in its place, is
    open; called in a thread, also again. Raises OutOfReach where somebody else is, and stays."""
    if connection.dialect.name != "postgresql":
        return
    driver: Any = connection.connection.driver_connection
    until_s = time.monotonic() + (HANDOVER_S if wait_s is None else wait_s)
    while not _take(driver):
        if time.monotonic() >= until_s:
            where = connection.engine.url.render_as_string(hide_password=True)
            raise OutOfReach(f"another bouncer, or an import, works on {where}; {what_to_do}")
        time.sleep(RETRY_S)
    event.listen(connection.engine, "connect", _Held(driver).again)


def look(connection: Connection) -> None:
    """Have a session that was ended show that it was."""
    connection.exec_driver_sql("SELECT 1")


def _take(driver: Any) -> bool:
    for name, value in _KEEPALIVES.items():
        driver.execute(f"SET tcp_keepalives_{name} = {value}")
    return bool(driver.execute(_TAKE).fetchone()[0])


class _Held:
    """The lock, and which session has it."""

    def __init__(self, driver: Any) -> None:
        self._session = driver.execute(_WHO).fetchone()

    def again(self, driver: Any, _record: object) -> None:
        """Take it for a new session. That of before may be there still, where the network was cut:
        nobody needs it. Raises Taken where somebody else has been faster."""
        try:
            until_s = time.monotonic() + GHOST_S
            while not _take(driver):
                driver.execute(_END, self._session)
                if time.monotonic() >= until_s:
                    raise Taken("another bouncer has taken it over")
                driver.commit()
                time.sleep(RETRY_S / 10)
            self._session = driver.execute(_WHO).fetchone()
            driver.commit()
        except BaseException:
            driver.close()
            raise
