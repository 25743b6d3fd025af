"""One bouncer serves from a database. Of a file the lock on the data directory sees to that; a
server can be reached from several machines, where two would connect everybody twice and keep what
they hear twice.
"""

from __future__ import annotations

import time

from sqlalchemy import Connection

from storage.engine import Engines
from storage.errors import OutOfReach

HANDOVER_S = 10.0  # one that is being stopped may take 5 s
RETRY_S = 0.2
_SERVING = 0x4D75737465720002  # of advisory locks, which are numbers
# The lock ends with the connection: that of a machine that died without a word within a minute.
_KEEPALIVES = {"idle": 20, "interval": 10, "count": 4}


def reserve(engines: Engines) -> Connection | None:
    """Be the only one for as long as the connection is open; called in a thread. Raises OutOfReach
    where somebody else is."""
    if engines.is_sqlite:
        return None
    connection = engines.writing.connect().execution_options(isolation_level="AUTOCOMMIT")
    until_s = time.monotonic() + HANDOVER_S
    try:
        for name, value in _KEEPALIVES.items():
            connection.exec_driver_sql(f"SET tcp_keepalives_{name} = {value}")
        while not connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_SERVING})").scalar():
            if time.monotonic() >= until_s:
                raise OutOfReach(
                    f"another bouncer, or an import, works on "
                    f"{engines.url.render_as_string(hide_password=True)}; stop it, or give this "
                    "one a database of its own"
                )
            time.sleep(RETRY_S)
    except BaseException:
        connection.close()
        raise
    return connection
