"""LogReaderDep."""

from typing import Annotated

from fastapi import Depends, Request

from services.request.audit_log.reader import LogReader


def _book(request: Request) -> LogReader:
    found: LogReader = request.app.state.logbook
    return found


Book = Annotated[LogReader, Depends(_book)]
