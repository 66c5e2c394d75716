"""A real worker with a solo pool that is stopped in the middle of a task: what its task sees."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from shared.core.messaging import is_stopping

PROJECT_ROOT = Path(__file__).resolve().parents[3]
APP = """
import atexit
import os
import time
from celery import Celery
from shared.core.messaging import is_stopping

app = Celery("app", broker="filesystem://")
folder = {name: "queue" for name in ("data_folder_in", "data_folder_out", "processed_folder")}
app.conf.update(broker_transport_options=folder, task_ignore_result=True)

class Model:
    def __del__(self, write=os.write):
        write(1, b"taken apart")

model = Model()
atexit.register(print, "left", flush=True)

@app.task(name="long")
def long():
    try:
        print("began", is_stopping(), flush=True)
        time.sleep(60)
    except Exception as exc:
        print("raised", type(exc).__name__, is_stopping(), flush=True)
"""


def test_task_of_a_worker_that_is_stopped_can_tell_it_from_a_failure(tmp_path: Path) -> None:
    """Celery's handler cancels the task, and with a solo pool that raises NotImplementedError inside it.

    The worker then ends by itself, at once.
    """
    (tmp_path / "app.py").write_text(APP)
    (tmp_path / "queue").mkdir()
    env = os.environ | {"PYTHONPATH": f"{tmp_path}:{PROJECT_ROOT}"}
    subprocess.run(
        [sys.executable, "-c", "import app; app.long.delay()"], cwd=tmp_path, env=env, check=True, timeout=60
    )
    command = [sys.executable, "-m", "celery", "-A", "app", "worker", "--pool", "solo", "--loglevel", "CRITICAL"]
    quietly = ["--without-gossip", "--without-mingle", "--without-heartbeat"]
    with subprocess.Popen([*command, *quietly], cwd=tmp_path, env=env, stdout=subprocess.PIPE, text=True) as worker:
        assert worker.stdout is not None
        try:
            lines = iter(worker.stdout.readline, "")
            assert next(line for line in lines if line.startswith("began")) == "began False\n"
            worker.send_signal(signal.SIGQUIT)
            assert next(line for line in lines if line.startswith("raised")) == "raised NotImplementedError True\n"
            rest = "".join(lines)
        finally:
            worker.kill()
    assert rest.endswith("left\n")  # and the model was not taken apart: that takes time in which nothing is gained
    assert worker.returncode == 0


def test_process_that_is_no_worker_is_not_stopping() -> None:
    assert not is_stopping()
