"""An application of several routers behind nginx, on two workers, one of which is killed in the middle."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path

import anyio
import httpx
import pytest
from waiting import listens, wait_until

from segments_async import AsyncSegments
from segments_async.sandbox import Sandbox
from segments_async.webhooks import sign

NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
SECRET = "whsec_L5Xa8/0RPkedFxEkQwC2YHKkOLdGphFM"
FILES = 60

APPLICATION = """
import os
from pathlib import Path
from fastapi import APIRouter, FastAPI
from segments_async import AsyncSegments
from segments_async.fastapi import Segments, UploadJobs, UploadStatus, WebhookRouter, add_error_handlers, lifespan
from segments_async.webhooks import LabelUpdated, SqliteReplayGuard

datasets = APIRouter(prefix="/datasets")

@datasets.get("/{owner}/{name}")
async def show(owner: str, name: str, client: Segments) -> int:
    return len(await client.samples.list(f"{owner}/{name}"))

@datasets.get("/")
async def worker() -> str:
    return os.environ["WORKER"]

hooks = WebhookRouter("SECRET", replay=SqliteReplayGuard("webhooks.db", lease=1))

@hooks.on(LabelUpdated)
async def labelled(event: LabelUpdated) -> None:
    with Path("started").open("a") as file:
        file.write(os.environ["WORKER"])
    if event.text == "kill" and len(Path("started").read_text()) == 1:
        os.kill(os.getpid(), 9)
    with Path("handled").open("a") as file:
        file.write(f"{event.text} ")

jobs = UploadJobs(f"uploads-{os.environ['WORKER']}")

@jobs.kind
async def flowers(upload, client, *, count):
    files = [(f"{number}.png", b"...") for number in range(count)]
    return await client.samples.upload_files("sandbox/flowers", files, concurrency=2, **upload.options())

begin = APIRouter()

@begin.post("/begin/{count}")
async def start(count: int) -> UploadStatus:
    return await jobs.start(flowers, count=count)

app = FastAPI(lifespan=lifespan(AsyncSegments), root_path="/flowers")
app.include_router(datasets)
app.include_router(hooks, prefix="/webhooks/segments")
app.include_router(jobs, prefix="/uploads")
app.include_router(begin, prefix="/uploads")
add_error_handlers(app)
""".replace("SECRET", SECRET)

# Uploads belong to a worker, so their routes go to the first one; it is tried again as soon as it is back.
CONFIGURATION = """
pid nginx.pid; error_log error.log; worker_processes 1; daemon off;
events {{ worker_connections 64; }}
http {{
  access_log off; client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi;
  scgi_temp_path scgi; gzip on; gzip_types text/event-stream application/json; gzip_min_length 1;
  upstream all {{ server 127.0.0.1:{first} max_fails=0; server 127.0.0.1:{second} max_fails=0; }}
  upstream first {{ server 127.0.0.1:{first} max_fails=0; }}
  server {{
    listen 127.0.0.1:{port};
    proxy_set_header Host $http_host;
    location /flowers/uploads/ {{ proxy_pass http://first/uploads/; }}
    location /flowers/ {{ proxy_pass http://all/; }}
  }}
}}
"""


def _free_ports(count: int) -> list[int]:
    with ExitStack() as stack:
        found = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [listener.getsockname()[1] for listener in found]


class Site:
    """nginx, and two workers that can be killed and started again."""

    def __init__(self, folder: Path, sandbox: Sandbox) -> None:
        self.port, *self.ports = _free_ports(3)
        self._folder = folder
        self._environment = {
            **os.environ,
            "SEGMENTS_API_URL": sandbox.url,
            "SEGMENTS_API_KEY": sandbox.api_key,
            "PYTHONPATH": os.pathsep.join(sys.path),
        }
        self._workers: dict[int, subprocess.Popen[bytes]] = {}
        (folder / "application.py").write_text(APPLICATION)
        text = CONFIGURATION.format(port=self.port, first=self.ports[0], second=self.ports[1])
        (folder / "nginx.conf").write_text(text)

    @contextmanager
    def running(self):
        command = [NGINX, "-p", str(self._folder), "-c", "nginx.conf", "-e", "error.log"]
        nginx = subprocess.Popen(command, cwd=self._folder)
        try:
            for number in (0, 1):
                self.start(number)
            wait_until(lambda: listens(self.port))
            with httpx.Client(base_url=f"http://127.0.0.1:{self.port}/flowers", trust_env=False, timeout=30) as web:
                yield web
        finally:
            for number in list(self._workers):
                self.kill(number)
            nginx.send_signal(signal.SIGQUIT)
            nginx.wait(20)

    def start(self, number: int) -> None:
        port = str(self.ports[number])
        command = [sys.executable, "-m", "uvicorn", "application:app", "--port", port, "--log-level", "error"]
        environment = {**self._environment, "WORKER": str(number)}
        self._workers[number] = subprocess.Popen(command, cwd=self._folder, env=environment)
        wait_until(lambda: listens(self.ports[number]))

    def kill(self, number: int) -> None:
        worker = self._workers.pop(number)
        worker.kill()
        worker.wait(20)

    def ended(self) -> list[int]:
        """Return the workers that have ended by themselves."""
        return [number for number, worker in self._workers.items() if worker.poll() is not None]


@pytest.fixture
def site(tmp_path: Path, sandbox: Sandbox) -> Site:
    if NGINX is None:
        pytest.skip("there is no nginx")
    return Site(tmp_path, sandbox)


def _events(web: httpx.Client, name: str, last: str | None = None) -> list[dict[str, str]]:
    """Read the events of an upload until the stream ends or breaks."""
    events: list[dict[str, str]] = [{}]
    headers = {} if last is None else {"Last-Event-ID": last}
    try:
        with web.stream("GET", f"/uploads/{name}/events", headers=headers) as response:
            for line in response.iter_lines():
                key, _, value = line.partition(": ")
                if line:
                    events[-1][key] = value
                else:
                    events.append({})
    except httpx.TransportError:
        pass  # the worker was killed
    return [event for event in events if "data" in event]


def _deliver(web: httpx.Client, text: str) -> list[int]:
    """Deliver a webhook as the service does: again and again until it is accepted."""
    body = json.dumps(
        {"event_type": "label.updated", "dataset": "sandbox/flowers", "object": {}, "text": text}
    ).encode()
    statuses: list[int] = []
    while not statuses or statuses[-1] >= 300:
        assert len(statuses) < 60, statuses
        statuses.append(
            web.post("/webhooks/segments", content=body, headers=sign(body, SECRET, message_id=text)).status_code
        )
        if statuses[-1] >= 300:
            time.sleep(0.2)
    return statuses


async def _create_dataset(sandbox: Sandbox) -> None:
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url) as client:
        await client.datasets.create("flowers")


@pytest.mark.full
def test_webhooks_and_routes_outlive_a_worker(site: Site, tmp_path: Path, sandbox: Sandbox) -> None:
    with site.running() as web:
        assert {web.get("/datasets/").json() for _ in range(10)} == {"0", "1"}
        assert web.get("/datasets/sandbox/nowhere").status_code == 404
        assert _deliver(web, "first") == [204]
        (tmp_path / "started").unlink()
        statuses = _deliver(web, "kill")
        [ended] = site.ended()
        assert statuses[-1] == 204
        assert set(statuses[:-1]) <= {409, 502, 504}
        assert _deliver(web, "kill") == [200]
        assert {web.get("/datasets/").json() for _ in range(6)} == {str(1 - ended)}
        site.start(ended)
        assert [_deliver(web, f"after-{number}") for number in range(4)] == [[204]] * 4
    assert (tmp_path / "handled").read_text().split() == ["first", "kill", *(f"after-{number}" for number in range(4))]


@pytest.mark.full
def test_an_upload_and_its_events_outlive_their_worker(site: Site, sandbox: Sandbox) -> None:
    anyio.run(_create_dataset, sandbox)
    sandbox.latency = 0.03
    with site.running() as web:
        name = web.post(f"/uploads/begin/{FILES}").json()["id"]
        wait_until(lambda: web.get(f"/uploads/{name}").json()["done"] >= FILES // 4)
        site.kill(0)
        assert web.get(f"/uploads/{name}").status_code == 502
        assert web.get("/datasets/").json() == "1"
        site.start(0)
        events = _events(web, name)
        while events[-1]["event"] != "end":
            events += _events(web, name, events[-1]["id"])
        status = web.get(f"/uploads/{name}").json()
        assert json.loads(events[-1]["data"]) == status
        assert (status["state"], status["done"], status["failed"]) == ("done", FILES, 0)
        assert web.post(f"/uploads/{name}/resume").json()["id"] == name
    assert len({sample["name"] for sample in sandbox.samples("sandbox/flowers")}) == FILES
    assert len(sandbox.samples("sandbox/flowers")) == FILES
