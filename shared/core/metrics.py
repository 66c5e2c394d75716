"""Every metric of every process, in one place. docs/metrics.md lists them and is tested against this file.

No metric names anybody: no label holds a ticket, a person, a key, a text or a path, and every label takes one of a few
values that are known beforehand. None is called `job` or `instance`, which Prometheus itself gives to what it reads.
They are not public all the same: whoever may ask the model and read how often it fired learns who is forgotten. So they
are served on a port of their own (metrics_server.py), never beside the answers.

`python -m shared.core.metrics` writes docs/metrics.md.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

CHANNELS: Final = ("picture", "mention", "text", "answer", "other")
READINGS: Final = ("omitted", "unsteered", "steered", "line", "sentence")
LATENCY_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 60)
LONG_S: Final = (0.1, 0.5, 1, 2, 5, 15, 60, 300, 900, 3600, 14400, 86400)
OTHER: Final = "other"


@dataclass(frozen=True)
class DatabaseGauge:
    """A gauge that the control loop reads from the database when it is scraped, and its help text."""

    name: str
    meaning: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """Metrics that the same processes expose, with the registry that holds them."""

    title: str
    processes: str
    registry: CollectorRegistry


HTTP: Final = Group("HTTP", "request API, inference", CollectorRegistry())
INFERENCE: Final = Group("Answers", "inference", CollectorRegistry())
WORKER: Final = Group("Workers", "refit, audit", CollectorRegistry())
LOOP: Final = Group("Control loop", "control loop", CollectorRegistry())
MESSAGES: Final = Group("Messages", "control loop, beat", CollectorRegistry())
GROUPS: Final = (HTTP, INFERENCE, WORKER, LOOP, MESSAGES)

# --- both HTTP services --------------------------------------------------------------------------------------------
HTTP_REQUESTS: Final = Counter(
    "lacuna_http_requests_total",
    "Requests by method, route template (never the path) and status.",
    ("method", "route", "status"),
    registry=HTTP.registry,
)
HTTP_SECONDS: Final = Histogram(
    "lacuna_http_request_seconds",
    "Time from the request's head to the end of its answer; of a stream, to its last byte.",
    ("method", "route"),
    buckets=LATENCY_S,
    registry=HTTP.registry,
)

# --- inference -----------------------------------------------------------------------------------------------------
ANSWERS: Final = Counter(
    "lacuna_inference_answers_total",
    "Requests that reached the engine, by outcome: answered, refused (503 or a prompt that does not fit), failed, "
    "left (the client went away).",
    ("outcome",),
    registry=INFERENCE.registry,
)
ANSWER_SECONDS: Final = Histogram(
    "lacuna_inference_answer_seconds",
    "Time from the engine's queue to the whole answer.",
    buckets=LATENCY_S,
    registry=INFERENCE.registry,
)
FIRST_TOKEN_SECONDS: Final = Histogram(
    "lacuna_inference_first_token_seconds",
    "Time from the engine's queue to the first text of an answer.",
    buckets=LATENCY_S,
    registry=INFERENCE.registry,
)
TOKENS: Final = Counter(
    "lacuna_inference_tokens_total",
    "Tokens read (prompt) and written (answer).",
    ("kind",),
    registry=INFERENCE.registry,
)
QUEUE_LENGTH: Final = Gauge(
    "lacuna_inference_queue_length",
    "Requests that this replica has taken and not yet answered; what the autoscaler follows.",
    registry=INFERENCE.registry,
)
STALLED_SECONDS: Final = Gauge(
    "lacuna_inference_stalled_seconds",
    "For how long the engine has had work and finished no step.",
    registry=INFERENCE.registry,
)
FIRES: Final = Counter(
    "lacuna_inference_fires_total",
    "Requests that concern somebody forgotten, by the channel that recognised it: picture, mention, text, answer, "
    "other. Nobody is named.",
    ("channel",),
    registry=INFERENCE.registry,
)
SECOND_READINGS: Final = Counter(
    "lacuna_inference_second_readings_total",
    "Second readings by what was answered: unsteered, steered, line (with the system line), sentence (the fixed one), "
    "other.",
    ("result",),
    registry=INFERENCE.registry,
)
WATCH_HITS: Final = Counter(
    "lacuna_inference_watch_hits_total",
    "Answers that told something of somebody forgotten and were discarded, by reading: first, second.",
    ("reading",),
    registry=INFERENCE.registry,
)
VERSION: Final = Gauge(
    "lacuna_inference_version", "Number of the version that is served; -1 where none is.", registry=INFERENCE.registry
)
GENERATION: Final = Gauge(
    "lacuna_inference_generation",
    "Generation of the desired state that is served; -1 where none is.",
    registry=INFERENCE.registry,
)
SWAPS: Final = Counter(
    "lacuna_inference_swaps_total",
    "Changes of the version by result: served, failed (the promoted version could not be loaded), closed (no version "
    "may be served any more).",
    ("result",),
    registry=INFERENCE.registry,
)
SWAP_SECONDS: Final = Histogram(
    "lacuna_inference_swap_seconds",
    "Time to fetch, verify and swap in a version.",
    buckets=LATENCY_S,
    registry=INFERENCE.registry,
)
ROLLOUT_SECONDS: Final = Histogram(
    "lacuna_inference_rollout_seconds",
    "Time from a promotion to its version being served by this replica, by the clocks of both.",
    buckets=LONG_S,
    registry=INFERENCE.registry,
)

# --- workers -------------------------------------------------------------------------------------------------------
TASKS: Final = Counter(
    "lacuna_worker_tasks_total", "Messages that were carried out, by task.", ("task",), registry=WORKER.registry
)
TASK_SECONDS: Final = Histogram(
    "lacuna_worker_task_seconds",
    "Duration of a task.",
    ("task",),
    buckets=LONG_S,
    registry=WORKER.registry,
)
TASK_AGE_SECONDS: Final = Gauge(
    "lacuna_worker_task_age_seconds", "Age of the task that is running; 0 where none is.", registry=WORKER.registry
)

# --- control loop --------------------------------------------------------------------------------------------------
JOBS: Final = Counter(
    "lacuna_loop_jobs_total",
    "Runs of the loop's jobs, by job and result: succeeded, failed.",
    ("name", "result"),
    registry=LOOP.registry,
)
JOB_SECONDS: Final = Histogram(
    "lacuna_loop_job_seconds", "Duration of a job.", ("name",), buckets=LATENCY_S, registry=LOOP.registry
)
JOB_SUCCESS_TIME: Final = Gauge(
    "lacuna_loop_job_last_success_timestamp_seconds",
    "When a job last succeeded (Unix time).",
    ("name",),
    registry=LOOP.registry,
)
DATABASE_GAUGES: Final = (
    DatabaseGauge("lacuna_database_readable", "1 where the figures below could be read, else 0 and they are absent."),
    DatabaseGauge("lacuna_tickets", "Tickets by state.", ("state",)),
    DatabaseGauge("lacuna_tickets_due_soon", "Open tickets whose statutory period ends within 7 days."),
    DatabaseGauge("lacuna_tickets_overdue", "Open tickets whose statutory period is over."),
    DatabaseGauge("lacuna_tickets_uncovered", "Tickets that must stay forgotten and that the promoted version misses."),
    DatabaseGauge("lacuna_orders_waiting", "Orders that no worker has finished, by queue.", ("queue",)),
    DatabaseGauge("lacuna_order_age_seconds", "Age of the oldest of them.", ("queue",)),
    DatabaseGauge("lacuna_run_age_seconds", "Age of the oldest run that is under way; 0 where none is.", ("queue",)),
    DatabaseGauge("lacuna_heartbeat_age_seconds", "Age of a heartbeat.", ("name",)),
    DatabaseGauge("lacuna_alarm", "1 while the alarm is raised.", ("name",)),
    DatabaseGauge("lacuna_promoted_version", "Number of the version that is promoted; -1 before the first."),
    DatabaseGauge("lacuna_replicas", "Live replicas by whether they serve the promoted generation.", ("current",)),
    DatabaseGauge("lacuna_rollout_age_seconds", "Age of the promotion while a live replica is behind it, else 0."),
    DatabaseGauge("lacuna_exposed_tickets", "People exposed at this moment by a break-glass."),
    DatabaseGauge("lacuna_exposure_seconds", "Seconds of exposure of all people by all break-glasses, so far."),
)

# --- whoever sends messages ----------------------------------------------------------------------------------------
MESSAGES_SENT: Final = Counter(
    "lacuna_messages_sent_total", "Messages handed to the queue, by task.", ("task",), registry=MESSAGES.registry
)


def fired(channel: str | None) -> None:
    """Count a request that concerns somebody forgotten; an unknown channel counts as "other"."""
    FIRES.labels(channel if channel in CHANNELS else OTHER).inc()


def second_reading(result: str | None) -> None:
    """Count a second reading by what it came to.

    "omitted", "unsteered", "steered", "line" (with the system line), "sentence" (the fixed one), or "told": the
    sentence stands for an answer that told something.
    """
    if result == "told":
        watch_hit(second=True)
        result = "sentence"
    SECOND_READINGS.labels(result if result in READINGS else OTHER).inc()


def watch_hit(*, second: bool) -> None:
    """Count an answer that told something of somebody forgotten and was discarded: the first reading or the second."""
    WATCH_HITS.labels("second" if second else "first").inc()


def counted(prompt: int, answer: int) -> None:
    """Count the tokens of a request."""
    TOKENS.labels("prompt").inc(prompt)
    TOKENS.labels("answer").inc(answer)


@dataclass(frozen=True)
class Row:
    """A row of docs/metrics.md."""

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str


def rows(group: Group) -> list[Row]:
    """The metrics of a group, in the order in which they are defined here."""
    own = []
    for metric in _metrics(group):
        (described,) = metric.describe()
        name = described.name + ("_total" if isinstance(metric, Counter) else "")
        own.append(Row(name, described.type, metric._labelnames, described.documentation))
    if group is LOOP:
        own += [Row(gauge.name, "gauge", gauge.labels, gauge.meaning) for gauge in DATABASE_GAUGES]
    return own


def _metrics(group: Group) -> Iterable[Counter | Gauge | Histogram]:
    for value in globals().values():
        if isinstance(value, Counter | Gauge | Histogram) and value in group.registry._collector_to_names:
            yield value


def page() -> str:
    """The text of docs/metrics.md."""
    lines = [
        "# Metrics",
        "",
        "What each process exposes for Prometheus, on a port of its own",
        "([operations.md](operations.md#metrics-logs-traces) says where, and who may read it).",
        "The standard `process_*` and `python_*` metrics of the Prometheus client are there as well.",
        "This page is generated from `shared/core/metrics.py` by `python -m shared.core.metrics`; a test",
        "compares the two.",
    ]
    for group in GROUPS:
        lines += ["", f"## {group.title}", "", f"Exposed by: {group.processes}.", ""]
        lines += ["| metric | type | labels | meaning |", "|---|---|---|---|"]
        for row in rows(group):
            labels = ", ".join(f"`{label}`" for label in row.labels)
            lines.append(f"| `{row.name}` | {row.kind} | {labels} | {row.meaning} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    Path("docs/metrics.md").write_text(page())
