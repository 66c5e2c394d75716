"""Traces (OpenTelemetry) behind a switch: one span for each request, task, job and answer.

Off by default, and then nothing of OpenTelemetry is imported. `LACUNA_TRACING=otlp` sends spans to the address of the
standard variables `OTEL_EXPORTER_OTLP_*`, `console` writes them to standard error. It needs the extra `tracing`.

The id of a trace is the request id of the log lines, where that is 32 hexadecimal digits, as it is when it was drawn
here or came with `traceparent`; else a hash of it. The request id travels through the outbox and the queue already, so
the spans of the API, the control loop, the workers and the gateway are in one trace without another header.

Attributes hold no personal data: no path, no text, no name.
"""

import hashlib
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final, Protocol

from shared.core.logging import current_request_id
from shared.errors import BadInput

Attributes = Mapping[str, str | int | float | bool]
KINDS: Final = ("off", "console", "otlp")
_TRACE_ID: Final = re.compile(r"(?!0{32})[0-9a-f]{32}", re.ASCII)
_tracer: Any = None  # set once by configure_tracing
_request_id: ContextVar[str | None] = ContextVar("request of the span that is being started", default=None)


class Span(Protocol):
    """What a caller may do with a span."""

    def name(self, name: str, attributes: Attributes) -> None:
        """Give the name and attributes that are known at the end only."""

    def end(self, attributes: Attributes) -> None:
        """End a span of `begin_span`."""


class _NoSpan:
    def name(self, name: str, attributes: Attributes) -> None:
        """Nothing."""

    def end(self, attributes: Attributes) -> None:
        """Nothing."""


class _OtelSpan:
    def __init__(self, span: Any) -> None:
        self._span = span

    def name(self, name: str, attributes: Attributes) -> None:
        """See Span."""
        self._span.update_name(name)
        self._span.set_attributes(dict(attributes))

    def end(self, attributes: Attributes) -> None:
        """See Span."""
        self._span.set_attributes(dict(attributes))
        self._span.end()


def configure_tracing(kind: str, service: str) -> None:
    """Trace this process as `service`; raises BadInput for another kind, or where the extra is not installed."""
    global _tracer  # noqa: PLW0603 - one switch for the process
    if kind not in KINDS:
        raise BadInput(f"LACUNA_TRACING is one of {', '.join(KINDS)}.")
    if kind == "off":
        return
    try:
        _tracer = _make_tracer(kind, service)
    except ImportError as exc:
        raise BadInput("LACUNA_TRACING needs the extra: pip install lacuna[tracing].") from exc


def trace_id() -> int | None:
    """The id of the trace that the present request id belongs to."""
    request_id = _request_id.get() or current_request_id()
    if request_id is None:
        return None
    if not _TRACE_ID.fullmatch(request_id):
        request_id = hashlib.sha256(request_id.encode()).hexdigest()[:32]
    return int(request_id, 16)


@contextmanager
def span(name: str, attributes: Attributes | None = None, request_id: str | None = None) -> Iterator[None]:
    """A span around the block; nothing where tracing is off. An error is noted by its type alone.

    `request_id`: of the request for which the block works, where it is not that of this context.
    """
    if _tracer is None:
        yield
        return
    token = _request_id.set(request_id)
    try:
        with _started(_tracer, name, None) as current:
            current.set_attributes(dict(attributes or {}))
            yield
    finally:
        _request_id.reset(token)


def begin_span(name: str) -> Span:
    """A span below the present one that is ended by `end`, for work that moves between contexts."""
    return _NoSpan() if _tracer is None else _OtelSpan(_tracer.start_span(name))


@contextmanager
def server_span(traceparent: str) -> Iterator[Span]:
    """The span of an HTTP request, below the client's where it sent a `traceparent`."""
    if _tracer is None:
        yield _NoSpan()
        return
    from opentelemetry.trace import SpanKind  # noqa: PLC0415 - an extra
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    parent = TraceContextTextMapPropagator().extract({"traceparent": traceparent}) if traceparent else None
    with _started(_tracer, "request", parent, SpanKind.SERVER) as current:
        yield _OtelSpan(current)


@contextmanager
def _started(tracer: Any, name: str, parent: Any, kind: Any = None) -> Iterator[Any]:
    from opentelemetry.trace import SpanKind, Status, StatusCode  # noqa: PLC0415 - an extra

    with tracer.start_as_current_span(
        name, context=parent, kind=kind or SpanKind.INTERNAL, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as exc:
            current.set_status(Status(StatusCode.ERROR))
            current.set_attribute("error.type", type(exc).__name__)  # its message may be personal data
            raise


def _make_tracer(kind: str, service: str) -> Any:
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415 - an extra, and slow to import
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import (  # noqa: PLC0415
        BatchSpanProcessor,
        ConsoleSpanExporter,
        SimpleSpanProcessor,
    )
    from opentelemetry.sdk.trace.id_generator import RandomIdGenerator  # noqa: PLC0415

    class RequestIds(RandomIdGenerator):
        def generate_trace_id(self) -> int:
            return trace_id() or int(super().generate_trace_id())

    resource = Resource.create({"service.name": service, "service.namespace": "lacuna"})
    provider = TracerProvider(resource=resource, id_generator=RequestIds())
    processor: SpanProcessor
    if kind == "console":
        processor = SimpleSpanProcessor(
            ConsoleSpanExporter(out=sys.stderr, formatter=lambda each: each.to_json(None) + "\n")
        )
    else:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415

        processor = BatchSpanProcessor(OTLPSpanExporter())
    provider.add_span_processor(processor)
    return provider.get_tracer("lacuna")
