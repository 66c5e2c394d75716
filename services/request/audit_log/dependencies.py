"""LogReaderDep: the reader of the audit log that all requests of this process share."""

from typing import Annotated

from fastapi import Depends, Request

from services.request.audit_log.reader import LogReader


def _log_reader(request: Request) -> LogReader:
    reader: LogReader = request.app.state.log_reader
    return reader


LogReaderDep = Annotated[LogReader, Depends(_log_reader)]
