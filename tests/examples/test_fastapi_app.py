"""The example without a browser: what it accepts, what it refuses, and what it resumes."""

from __future__ import annotations

import io
import re
import socket

import anyio
import pytest
from anyio import to_thread
from fastapi.testclient import TestClient
from PIL import Image

from examples.fastapi_app import __main__ as command, live, pictures, uploads
from examples.fastapi_app.app import STATIC, Settings, from_environment, make_app
from examples.fastapi_app.views import MAX_SHAPES, SampleRemoved, label_view
from segments_async import AsyncSegments
from segments_async.fastapi import UploadJobs
from segments_async.models import ImageVectorAnnotation, ImageVectorLabelAttributes, Label
from segments_async.webhooks import sign

SECRET = "whsec_L5Xa8/0RPkedFxEkQwC2YHKkOLdGphFM"


@pytest.fixture
def started(sandbox, tmp_path):
    """Start the application; each call starts it again, as a server does."""
    dataset = anyio.run(command.make_dataset, sandbox)
    settings = Settings(dataset=dataset, secret=SECRET, folder=tmp_path / "kept", plays_labeller=True)

    def start():
        return TestClient(make_app(settings, lambda: AsyncSegments(sandbox.api_key, base_url=sandbox.url)))

    return start


@pytest.fixture
def web(started):
    with started() as web:
        yield web


def images(*files):
    return [("images", file) for file in files]


def send(web, *files, headers=None):
    return web.post("/images", files=images(*files), headers=headers)


def finished(web, id, until):
    until(lambda: web.get(f"/uploads/{id}").json()["state"] != "running")
    return web.get(f"/uploads/{id}").json()


def names(sandbox):
    return {sample["name"] for sample in sandbox.samples("sandbox/flowers")}


def test_images_become_samples_and_leave_nothing_behind(web, sandbox, png, until, tmp_path):
    accepted = send(web, ("rose.png", png(1)), ("violet.png", png(2)))

    assert accepted.status_code == 202
    status = finished(web, accepted.json()["upload"]["id"], until)
    assert (status["state"], status["done"], status["total"]) == ("done", 2, 2)
    assert names(sandbox) == {"rose.png", "violet.png"}
    assert not [path for path in (tmp_path / "kept" / "pictures").rglob("*") if path.is_file()]
    assert {sample["name"] for sample in web.get("/samples").json()["samples"]} == {"rose.png", "violet.png"}


@pytest.mark.parametrize("kind", ["BMP", "JPEG", "PNG", "WEBP"])
def test_kinds_of_images(web, sandbox, until, kind):
    """The content decides the type, whatever the file's name."""
    content = io.BytesIO()
    Image.new("RGB", (4, 3), "red").save(content, kind)
    accepted = send(web, ("picture", content.getvalue())).json()

    finished(web, accepted["upload"]["id"], until)
    [url] = sandbox.assets()
    assert url.endswith(pictures.SUFFIXES[kind])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "The file is empty."),
        (b"GIF89a", "This is not a PNG, JPEG, WebP or BMP image."),
        (b"<svg onload='alert(1)'/>", "This is not a PNG, JPEG, WebP or BMP image."),
        (b"\x89PNG\r\n\x1a\n\0\0", "This is not a PNG, JPEG, WebP or BMP image."),
    ],
)
def test_file_that_is_not_an_image_is_refused(web, content, reason, sandbox):
    answer = send(web, ("rose.png", content))

    assert answer.status_code == 202
    assert answer.json() == {"upload": None, "refused": [{"name": "rose.png", "reason": reason}]}
    assert web.get("/uploads/").json() == []
    assert names(sandbox) == set()


def test_an_image_too_large_is_refused(web, png, monkeypatch):
    monkeypatch.setattr(pictures, "MAX_FILE_BYTES", 50)

    assert "larger than 0 MB" in send(web, ("rose.png", png(1))).json()["refused"][0]["reason"]


def test_two_files_with_one_name_are_refused(web, png, until):
    answer = send(web, ("rose.png", png(1)), ("rose.png", png(2))).json()

    assert answer["refused"] == [{"name": "rose.png", "reason": "Another image has this name."}]
    assert finished(web, answer["upload"]["id"], until)["total"] == 1


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("../../etc/passwd", "passwd"),
        (r"C:\pictures\rose.png", "rose.png"),
        ("a\u202eb.png", "ab.png"),
        ("x" * 300 + ".png", "x" * 196 + ".png"),
        ("..", ".."),
    ],
)
def test_a_name_leads_nowhere(web, sandbox, png, until, tmp_path, sent, name):
    """It names the sample; the file on disk has another."""
    upload = send(web, (sent, png(1))).json()["upload"]

    finished(web, upload["id"], until)
    assert names(sandbox) == {name}
    assert {path.parts[len(tmp_path.parts)] for path in tmp_path.rglob("*")} == {"kept"}


def test_forms_are_bounded(web, png, monkeypatch):
    """Before they are read, where they say how long they are, which they must."""
    one = ("rose.png", png(1))
    assert web.post("/images", files={"others": one}).status_code == 422
    assert web.post("/images", content=iter([b"a"])).status_code == 411
    assert send(web, *[one] * (pictures.MAX_FILES + 1)).status_code == 400
    assert web.post("/images", files=images(one), data={"more": "x"}).status_code == 400
    monkeypatch.setattr(pictures, "MAX_BODY_BYTES", 100)
    answer = send(web, one)
    assert answer.status_code == 413
    assert "too large" in answer.json()["detail"]


def test_client_that_disconnects_while_sending_is_not_an_error(demo):
    """The server logs nothing, which `demo` checks at its end."""
    with demo.web() as web:
        before = web.get("/uploads/").json()
        with socket.create_connection((web.base_url.host, web.base_url.port)) as leaver:
            leaver.sendall(
                b"POST /images HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n"
                b"Content-Type: multipart/form-data; boundary=b\r\n\r\n--b\r\nContent-Disposition: form-data; "
                b'name="images"; filename="a.png"\r\n\r\nx'
            )
        assert web.get("/uploads/").json() == before


def test_other_sites_are_refused(web, png):
    """A page of theirs may make a browser send a form here."""
    foreign = {"Sec-Fetch-Site": "cross-site"}
    assert web.post("/images", files=images(("rose.png", png(1))), headers=foreign).status_code == 403
    assert web.delete("/uploads/x", headers=foreign).status_code == 403
    assert web.post(f"/samples/{'0' * 32}/label", json={}, headers=foreign).status_code == 403
    assert web.get("/", headers=foreign).status_code == 200


@pytest.mark.parametrize(
    ("origin", "host", "status"),
    [
        (None, "testserver", 422),
        ("http://testserver", "testserver", 422),
        ("https://testserver", "testserver", 422),  # a proxy ends TLS
        ("https://testserver:443", "testserver", 422),
        ("http://testserver", "testserver:80", 422),
        ("http://TESTSERVER:8000", "testserver:8000", 422),
        ("http://testserver:8000", "testserver", 403),
        ("http://testserver:80", "testserver:443", 403),
        ("http://elsewhere.example", "testserver", 403),
        ("http://testserver.elsewhere.example", "testserver", 403),
        ("null", "testserver", 403),
        ("null", "", 403),
        ("", "testserver", 403),
        ("testserver", "testserver", 403),
        ("file://", "", 403),
        ("http://", "", 403),
        ("http://testserver", "", 403),
        ("http://:80", ":80", 403),
        ("https://", ":443", 403),
    ],
)
def test_browsers_that_send_no_fetch_metadata(web, origin, host, status):
    """Their Origin is compared with the Host; a program sends neither."""
    headers = {"Host": host, **({} if origin is None else {"Origin": origin})}
    assert web.post("/images", files={"others": ("a", b"a")}, headers=headers).status_code == status


def test_it_works_behind_a_path_of_a_proxy():
    """The page names nothing from the root of its server on."""
    for file in STATIC.iterdir():
        assert not re.search(r"""["'`(]/[a-z]""", file.read_text(encoding="utf-8")), file.name


def test_no_key_reaches_the_page(demo, png):
    """Neither it nor the secret of the webhooks is in anything that a browser is sent."""
    with demo.web() as web:
        send(web, ("secret.png", png(3)))
        paths = ["/", "/samples", "/uploads/", *(f"/static/{file.name}" for file in STATIC.iterdir())]
        sent = [web.get(path) for path in paths]
    assert {answer.status_code for answer in sent} == {200}
    for answer in sent:
        assert demo.key not in answer.text + str(answer.headers)
        assert "whsec_" not in answer.text


def test_the_page_has_no_way_to_make_html_of_names():
    for script in STATIC.glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval", script.read_text())
    assert not re.search(r"""(src|href)=.?(https?:)?//""", (STATIC / "index.html").read_text())


def test_the_page_says_how_many_samples_it_does_not_show(web, sandbox, png, until, monkeypatch):
    """Of the dataset, whatever the length of the list."""
    assert web.get("/samples").json()["total"] == 0
    monkeypatch.setattr("examples.fastapi_app.app.MAX_SAMPLES", 2)
    upload = send(web, *((f"{number}.png", png(number)) for number in range(5))).json()["upload"]
    finished(web, upload["id"], until)

    page = web.get("/samples").json()
    assert (len(page["samples"]), page["total"]) == (2, 5)


def test_an_upload_is_cancelled(web, sandbox, png, until):
    """Its images are kept, so it can still be resumed."""
    fault = sandbox.fail("POST", "/assets/", times=None, delay=30)
    upload = send(web, ("rose.png", png(1)), ("violet.png", png(2))).json()["upload"]
    until(lambda: fault.hits)

    assert web.delete(f"/uploads/{upload['id']}").status_code == 200
    status = finished(web, upload["id"], until)
    assert (status["state"], status["done"]) == ("cancelled", 0)
    assert names(sandbox) == set()
    assert web.delete(f"/uploads/{upload['id']}").json()["state"] == "cancelled"
    assert web.delete("/uploads/unknown").status_code == 404

    sandbox.clear_faults()
    web.post(f"/uploads/{upload['id']}/resume")
    assert finished(web, upload["id"], until)["state"] == "done"
    assert names(sandbox) == {"rose.png", "violet.png"}


@pytest.mark.parametrize("when", ["before", "while", "after"])
def test_a_form_is_withdrawn(web, sandbox, png, until, tmp_path, monkeypatch, when):
    """The page no longer waits for its form: whether that has arrived, is in flight or is lost, nothing continues."""
    fault = sandbox.fail("POST", "/assets/", times=None, delay=30)
    start = UploadJobs.start

    async def start_while_withdrawn(self, *args, **arguments):
        status = await start(self, *args, **arguments)
        await to_thread.run_sync(withdraw)
        return status

    def withdraw():
        assert web.delete("/images/f0rm").status_code == 204

    if when == "before":
        withdraw()
    elif when == "while":
        monkeypatch.setattr(UploadJobs, "start", start_while_withdrawn)
    upload = send(web, ("rose.png", png(1)), headers={"X-Form": "f0rm"}).json()["upload"]
    if when == "after":
        until(lambda: fault.hits)
        withdraw()

    if when == "before":
        assert upload is None
        assert not list((tmp_path / "kept" / "pictures").glob("*"))
    else:
        assert finished(web, upload["id"], until)["state"] == "cancelled"
    assert names(sandbox) == set()
    sandbox.clear_faults()
    other = send(web, ("violet.png", png(2)), headers={"X-Form": "other"}).json()["upload"]
    assert finished(web, other["id"], until)["state"] == "done"


def test_what_failed_is_tried_again(web, sandbox, png, until):
    """The images are kept until all of them are uploaded."""
    fault = sandbox.fail("POST", "/datasets/*/samples/", status=400, json={"detail": "no"})
    upload = send(web, ("rose.png", png(1)), ("violet.png", png(2))).json()["upload"]
    status = finished(web, upload["id"], until)
    assert (status["state"], status["done"], status["failed"]) == ("done", 2, 1)
    assert fault.hits == 1

    web.post(f"/uploads/{upload['id']}/resume")
    assert finished(web, upload["id"], until)["failed"] == 0
    assert names(sandbox) == {"rose.png", "violet.png"}


def test_a_taken_name_is_reported(web, sandbox, png, until):
    """No image ever takes the place of another one."""
    finished(web, send(web, ("rose.png", png(1))).json()["upload"]["id"], until)
    before = sandbox.samples("sandbox/flowers")
    status = finished(web, send(web, ("rose.png", png(2))).json()["upload"]["id"], until)

    assert status["state"] == "failed"
    assert status["detail"] == "The dataset already has images with these names: rose.png"
    assert sandbox.samples("sandbox/flowers") == before


def test_a_restart_resumes(started, sandbox, png, until):
    """What was received before is uploaded after it."""
    fault = sandbox.fail("POST", "/assets/", times=None, delay=30)
    with started() as web:
        upload = send(web, ("rose.png", png(1)), ("violet.png", png(2))).json()["upload"]
        until(lambda: fault.hits)
    sandbox.clear_faults()
    with started() as web:
        assert finished(web, upload["id"], until)["state"] == "done"
    assert names(sandbox) == {"rose.png", "violet.png"}


def test_old_uploads_are_forgotten(web, png, until, monkeypatch, tmp_path):
    monkeypatch.setattr(uploads, "MAX_UPLOADS", 1)
    ids = []
    for number in range(3):
        ids.append(send(web, (f"{number}.png", png(number))).json()["upload"]["id"])
        finished(web, ids[-1], until)

    assert [upload["id"] for upload in web.get("/uploads/").json()] == ids[2:]
    assert web.get(f"/uploads/{ids[0]}").status_code == 404
    assert not list((tmp_path / "kept").rglob(f"{ids[0]}*"))


def test_webhooks_of_other_datasets_are_passed_over(web):
    body = b'{"event_type": "sample.deleted", "dataset": "jane/others", "object": {"uuid": "u-1", "name": "a"}}'
    before = web.get("/samples").json()["position"]

    assert web.post("/webhooks/segments", content=body, headers=sign(body, SECRET)).status_code == 204
    assert web.get("/samples").json()["position"] == before
    assert web.post("/webhooks/segments", content=body).status_code == 400


def test_a_wrong_dataset_shows_at_the_start(sandbox, tmp_path):
    settings = Settings(dataset="sandbox/nowhere", secret=SECRET, folder=tmp_path)
    app = make_app(settings, lambda: AsyncSegments(sandbox.api_key, base_url=sandbox.url))

    with pytest.raises(Exception, match="sandbox/nowhere"), TestClient(app):
        pass


def test_it_runs_for_a_dataset_of_yours(sandbox, started, monkeypatch, tmp_path):
    """The environment names it; no simulated labeller runs there."""
    for name, value in {
        "SEGMENTS_API_URL": sandbox.url,
        "SEGMENTS_API_KEY": sandbox.api_key,
        "SEGMENTS_DATASET": "sandbox/flowers",
        "SEGMENTS_WEBHOOK_SECRET": SECRET,
        "UPLOADS_FOLDER": str(tmp_path / "own"),
    }.items():
        monkeypatch.setenv(name, value)
    with TestClient(from_environment()) as web:
        assert web.get("/samples").json()["plays_labeller"] is False
        assert web.post(f"/samples/{'0' * 32}/label", json={"width": 1, "height": 1}).status_code in {404, 405}


def test_the_script_of_the_readme_labels_existing_samples(demo, png, monkeypatch, until):
    """It runs as it stands."""
    monkeypatch.setenv("SEGMENTS_API_URL", demo.sandbox_url)
    monkeypatch.setenv("SEGMENTS_API_KEY", demo.key)
    [script] = re.findall(
        r"^```python\n(.*?)^```$", (STATIC.parent / "README.md").read_text(), re.MULTILINE | re.DOTALL
    )
    with demo.web() as web:
        finished(web, send(web, ("readme.png", png(6))).json()["upload"]["id"], until)
        exec(compile(script, "README.md", "exec"), {"__name__": "__main__"})
        labels = {sample["name"]: sample["label"] for sample in web.get("/samples").json()["samples"]}
    assert labels["readme.png"]["objects"] == {"leaf": 1}


def test_a_taken_port_is_reported(demo, capsys):
    assert command.main(["--port", demo.url.rsplit(":", 1)[1]]) == 1
    assert "try --port 0" in capsys.readouterr().err


def test_ten_thousand_shapes_are_not_drawn():
    boxes = [ImageVectorAnnotation.bbox((0, 0), (1, 1), id=number, category_id=7) for number in range(1, 10_001)]
    shown = label_view(Label(attributes=ImageVectorLabelAttributes(annotations=boxes)), {})

    assert shown.objects == {"category 7": 10_000}
    assert len(shown.shapes) == MAX_SHAPES
    assert shown.not_drawn == 10_000 - MAX_SHAPES


@pytest.fixture
def _hurried(monkeypatch):
    monkeypatch.setattr(live, "PAUSE_SECONDS", 0.001)
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr(live, "STREAM_SECONDS", 0.2)


async def read_events(log, position):
    return [piece async for piece in log.stream(position)]


@pytest.mark.anyio
@pytest.mark.usefixtures("_hurried")
async def test_a_page_receives_missed_and_new_events():
    log = live.Live()
    begin = log.position
    log.publish("gone", SampleRemoved(uuid="a"))
    log.publish("gone", SampleRemoved(uuid="b"))
    heard = []

    async def listen():
        heard.extend(await read_events(log, begin))

    async with anyio.create_task_group() as group:
        group.start_soon(listen)
        await anyio.wait_all_tasks_blocked()
        log.publish("gone", SampleRemoved(uuid="c"))

    text = "".join(heard)
    assert re.findall(r'"uuid":"(.)"', text) == ["a", "b", "c"]
    assert f"id: {begin + 3}\n" in text
    assert ": still here" in text
    assert "reload" not in text


@pytest.mark.anyio
@pytest.mark.usefixtures("_hurried")
@pytest.mark.parametrize("behind", [-5, 3])
async def test_a_page_that_is_too_far_behind_has_to_reload(behind):
    """Or that knows of events of another process."""
    log = live.Live(max_events=2)
    for name in "abc":
        log.publish("gone", SampleRemoved(uuid=name))

    pieces = await read_events(log, log.position - behind)

    assert [piece for piece in pieces if "event" in piece] == [f"id: {log.position}\nevent: reload\ndata: {{}}\n\n"]


def test_a_stream_resumes_after_the_last_event(demo, png):
    """The browser itself sends the id of its last event."""
    with demo.web() as web:
        begin = web.get("/samples").json()["position"]
        send(web, ("stream.png", png(5)))
        for headers in ({}, {"Last-Event-ID": str(begin)}):
            after = begin if not headers else 0
            with web.stream("GET", f"/events?after={after}", headers=headers) as events:
                assert events.headers["content-type"].startswith("text/event-stream")
                assert "stream.png" in next(line for line in events.iter_lines() if "stream.png" in line)
        assert web.get("/events?after=x").status_code == 422
