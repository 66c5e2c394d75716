"""What every process begins with: logs, traces and metrics, as the settings say."""

from shared.core.config import Settings
from shared.core.logging import LogStyle, configure_logging
from shared.core.metrics import Group
from shared.core.metrics_server import serve_metrics
from shared.core.tracing import configure_tracing


def observe(settings: Settings, process: str, *groups: Group) -> None:
    """Configure logging and tracing of `process`, and serve the metrics of `groups`.

    Raises BadInput for a setting that cannot be used.
    """
    configure_logging(style=LogStyle(settings.log.format == "json", settings.log.access))
    configure_tracing(settings.tracing, f"lacuna-{process}")
    serve_metrics(settings.metrics, *groups)
