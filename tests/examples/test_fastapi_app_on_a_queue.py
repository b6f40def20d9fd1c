"""The example application on a queue: two web processes, two workers, one Redis; one of each is killed."""

import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

import httpx
import pytest
import redis
from PIL import Image
from waiting import wait_until

from segments_async import AsyncSegments

IMAGES = 12


@pytest.fixture
def start(sandbox, redis_url, tmp_path):
    environment = {
        **os.environ,
        "REDIS_URL": redis_url,
        "UPLOADS_FOLDER": str(tmp_path),
        "SEGMENTS_DATASET": "sandbox/flowers",
        "SEGMENTS_WEBHOOK_SECRET": "whsec_L5Xa8/0RPkedFxEkQwC2YHKkOLdGphFM",
        "SEGMENTS_API_URL": sandbox.url,
        "SEGMENTS_API_KEY": sandbox.api_key,
    }
    with ExitStack() as stack:

        def start(*command):
            process = subprocess.Popen([sys.executable, "-m", *command], env=environment, cwd=Path(__file__).parents[2])
            stack.callback(process.wait, 20)
            stack.callback(process.kill)
            return process

        yield start


def web_process(start):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    factory = "examples.fastapi_app.app:from_environment"
    process = start("uvicorn", "--factory", factory, "--port", str(port), "--log-level", "error")
    web = httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)
    wait_until(lambda: answers(web))
    return web, process


def answers(web):
    try:
        return web.get("/uploads/").status_code == 200
    except httpx.TransportError:
        return False


def picture():
    file = BytesIO()
    Image.new("RGB", (8, 8)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.full
@pytest.mark.asyncio
async def test_one_of_each_is_killed(sandbox, start, redis_url):
    """The other web process shows the upload, and the other worker continues it; each image is there once."""
    async with AsyncSegments(sandbox.api_key, base_url=sandbox.url) as client:
        await client.datasets.create("flowers", task_type="vector")
    (one, web), (other, _) = web_process(start), web_process(start)
    first = start("saq", "examples.fastapi_app.worker.settings")
    sandbox.latency = 0.2
    forms = [("images", (f"{number}.png", picture(), "image/png")) for number in range(IMAGES)]
    answer = one.post("/images", files=forms)
    assert answer.status_code == 202, answer.text
    name = answer.json()["upload"]["id"]
    wait_until(sandbox.assets)
    start("saq", "examples.fastapi_app.worker.settings")
    first.kill()
    web.kill()
    sandbox.latency = 0.0
    with redis.Redis.from_url(redis_url) as server:  # what the killed worker held, half a minute later
        assert server.delete(*server.keys("*:lease:*"), *server.keys("*:lock")) == 2

    wait_until(lambda: other.get(f"/uploads/{name}").json()["state"] not in {"queued", "running"})
    assert other.get(f"/uploads/{name}").json()["state"] == "done"
    names = sorted(sample["name"] for sample in sandbox.samples("sandbox/flowers"))
    assert names == sorted(f"{number}.png" for number in range(IMAGES))
    one.close()
    other.close()
