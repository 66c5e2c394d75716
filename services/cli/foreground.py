"""The stack in the foreground, for `lacuna up`: starts it, prints its log, and stops it on Ctrl-C."""

import signal
import threading
from pathlib import Path
from typing import Final

from services.cli.render.console import PlainConsole, bold, styled
from shared.core.config import Settings
from shared.core.metrics_server import check_settings
from shared.devstack.ports import row_of_ports
from shared.devstack.processes import OBSERVED
from shared.devstack.restarts import RestartPolicy
from shared.devstack.stack import running_stack
from shared.errors import Unavailable

FIRST_METRICS_PORT: Final = 8610
COLOURS: Final = ("cyan", "green", "yellow", "magenta", "blue", "bright_cyan", "bright_green", "bright_yellow")


def run_in_foreground(data: Path, settings: Settings) -> None:
    """Start the stack over `data`, print its addresses and its log, and run until Ctrl-C or SIGTERM.

    A process that ends by itself is started again. Raises Unavailable where a process does not start, ends too often or
    says that no restart repairs it, and BadInput where a port is taken.
    """
    console = PlainConsole()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())

    def print_log(process: str, line: str) -> None:
        colour = COLOURS[sum(map(ord, process)) % len(COLOURS)]
        console.print(styled(f"{process:>10}", colour), " | ", line, sep="", soft_wrap=True)

    def print_progress(what: str) -> None:
        console.print(f"starting {what} ...", style="dim")

    ports = (settings.request_port, settings.inference_port)
    policy = RestartPolicy(settings.restart.most, settings.restart.window_s)
    metrics = _metrics_ports(settings)
    with running_stack(
        data, ports=ports, log=print_log, say=print_progress, restarts=policy, metrics_ports=metrics
    ) as running:
        addresses = f"  API: {running.request_url}  inference: {running.inference_url}"
        console.print(bold("\nLacuna is running."), addresses, sep="")
        console.print("Console for officers:", bold(f"{running.request_url}/console"))
        console.print(f"API keys of the first accounts: {running.data / 'keys.json'}")
        if metrics:
            served = ", ".join(f"{name} {port}" for name, port in metrics.items())
            console.print(f"Metrics are on ports of their own, under /metrics: {served}", soft_wrap=True)
        console.print("Try", bold("lacuna status"), "in another terminal.")
        console.print("Ctrl-C stops everything; the data is kept for the next start.\n")
        while not stop.wait(0.2):
            if running.supervisor.failed.is_set():
                raise Unavailable(running.supervisor.reason)
        console.print("\nStopping ...")


def _metrics_ports(settings: Settings) -> dict[str, int]:
    """Where each process serves its metrics: from LACUNA_METRICS_PORT on; nowhere where it is 0.

    Raises BadInput where they would be open to others.
    """
    check_settings(settings.metrics)
    first = FIRST_METRICS_PORT if settings.metrics.port is None else settings.metrics.port
    return dict(zip(OBSERVED, row_of_ports(first, len(OBSERVED)), strict=True)) if first else {}
