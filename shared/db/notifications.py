"""Hears what the database announces (LISTEN), so that a process need not poll for what it has to do.

Triggers announce changes (migration 0014): on `WORK` what gives the control loop something to do, on `DESIRED_STATE`
what a replica has to follow. An announcement carries nothing and may be lost: whoever waits for one also looks on its
own now and then. LISTEN needs a connection of its own for as long as it waits. Through PgBouncer that works in session
mode; in transaction mode nothing is ever heard, and everything happens as late as that look.
"""

import logging
import select
import threading
from collections.abc import Callable
from typing import Final

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import DBAPIError

logger = logging.getLogger(__name__)
WORK: Final = "lacuna_work"
DESIRED_STATE: Final = "lacuna_desired_state"
RECONNECT_S: Final = 1.0
CHECK_S: Final = 60.0  # after so much silence, ask whether the connection still lives


class Listener:
    """Calls `on_announcement` for what is announced on `channel`, from a thread of its own."""

    def __init__(self, database: Engine, channel: str, on_announcement: Callable[[], None]) -> None:
        self._database, self._channel, self._on_announcement = database, channel, on_announcement
        self._stopped = threading.Event()

    def start(self) -> None:
        """Listen from now on. The thread is a daemon: it is killed without harm."""
        threading.Thread(target=self._run, name=self._channel, daemon=True).start()

    def stop(self) -> None:
        """Listen no more, once the present wait is over."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                with self._database.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    try:
                        self._listen(connection)
                    finally:
                        connection.invalidate()  # a connection that listens does not go back to the pool
            except (DBAPIError, psycopg.Error, OSError) as exc:
                logger.warning("announcements of the database are not heard for now (%s)", type(exc).__name__)
            self._stopped.wait(RECONNECT_S)

    def _listen(self, connection: Connection) -> None:
        connection.exec_driver_sql(f"LISTEN {self._channel}")
        driver = connection.connection.driver_connection
        assert driver is not None
        self._on_announcement()  # of what was announced while nobody listened
        while not self._stopped.is_set():
            # Not notifies(timeout=...): psycopg wakes up ten times a second to look for signals.
            readable, _, _ = select.select([driver.fileno()], [], [], CHECK_S)
            if not readable:
                connection.exec_driver_sql("SELECT 1")
            elif list(driver.notifies(timeout=0)):
                self._on_announcement()
