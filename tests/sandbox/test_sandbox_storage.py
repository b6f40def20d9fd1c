"""The stand-in for S3, and the releases whose files it keeps."""

from __future__ import annotations

import http.client
import time
from urllib.parse import urlsplit

import httpx
import pytest

from segments_async.sandbox import Sandbox
from segments_async.testing import ManualClock

FILE = ("a.png", b"\x89PNG bytes")


@pytest.fixture
def asset(api):
    return api.post("/assets/", json={"filename": "a.png"}).json()


@pytest.fixture
def form(asset):
    return asset["presignedPostFields"]


def assert_refused(reply, status, code):
    assert reply.status_code == status
    assert reply.headers["content-type"] == "application/xml"
    assert f"<Code>{code}</Code>" in reply.text


@pytest.mark.parametrize(
    ("filename", "content_type", "suffix"),
    [
        ("a.png", "image/png", ".png"),
        ("b.JPG", "image/jpeg", ".JPG"),
        ("scan.pcd", "application/octet-stream", ".pcd"),
        ("no suffix", "application/octet-stream", ""),
        ("x.a b#c", "application/octet-stream", ""),
    ],
)
def test_content_type(api, web, filename, content_type, suffix):
    """The content type is the one that was issued, not the one that the client sends."""
    reply = api.post("/assets/", json={"filename": filename})
    asset, form = reply.json(), reply.json()["presignedPostFields"]
    assert asset["url"].endswith(f"{asset['uuid']}{suffix}")
    web.post(form["url"], data=form["fields"], files={"file": ("x", b"bytes", "text/evil")})
    assert web.get(asset["url"]).headers["content-type"] == content_type


def test_upload_and_download(sandbox, web, asset, form):
    assert form["url"] == f"{sandbox.storage_url}/"
    assert asset["filename"] == "a.png"
    sent = web.post(form["url"], data=form["fields"], files={"file": FILE})
    assert (sent.status_code, sent.content) == (204, b"")
    assert web.get(asset["url"]).content == FILE[1]
    assert web.head(asset["url"]).headers["content-length"] == str(len(FILE[1]))
    assert sandbox.assets() == {asset["url"]: FILE[1]}


def test_large_upload(sandbox, web, asset, form):
    data = bytes(range(256)) * 12_000
    assert web.post(form["url"], data=form["fields"], files={"file": ("x", data)}).status_code == 204
    assert web.get(asset["url"]).content == data


def test_authorization_is_refused(api, sandbox, asset, form):
    assert_refused(api.post(form["url"], data=form["fields"], files={"file": FILE}), 400, "InvalidArgument")
    assert_refused(api.get(asset["url"]), 400, "InvalidArgument")
    assert sandbox.assets() == {}


def test_chunked_transfer_is_refused(web, form):
    request = web.build_request("POST", form["url"], data=form["fields"], files={"file": FILE})
    headers = {"Content-Type": request.headers["content-type"]}
    assert_refused(web.post(form["url"], content=iter([request.read()]), headers=headers), 411, "MissingContentLength")


def test_too_large_is_refused_before_it_is_sent(form):
    connection = http.client.HTTPConnection(urlsplit(form["url"]).netloc, timeout=5)
    try:
        connection.putrequest("POST", "/")
        connection.putheader("Content-Type", "multipart/form-data; boundary=x")
        connection.putheader("Content-Length", str(101 * 1024 * 1024))
        connection.endheaders()
        reply = connection.getresponse()
        assert reply.status == 400
        assert b"<Code>EntityTooLarge</Code>" in reply.read()
    finally:
        connection.close()


def test_file_must_be_last(web, form):
    fields = [(name, (None, value)) for name, value in form["fields"].items()]
    assert_refused(web.post(form["url"], files=[("file", FILE), *fields]), 400, "InvalidArgument")
    assert web.post(form["url"], files=[*fields, ("file", FILE)]).status_code == 204


@pytest.mark.parametrize("name", ["acl", "Content-Type", "key", "x-amz-date", "policy", "x-amz-signature"])
@pytest.mark.parametrize("change", ["missing", "altered"])
def test_every_field_must_be_as_issued(web, form, name, change):
    fields = dict(form["fields"])
    value = fields.pop(name)
    if change == "altered":
        fields[name] = f"{value}x"
    code = "SignatureDoesNotMatch" if name in {"policy", "x-amz-signature"} else "AccessDenied"
    assert_refused(web.post(form["url"], data=fields, files={"file": FILE}), 403, code)


def test_extra_field_is_refused(web, form):
    fields = {**form["fields"], "extra": "1"}
    assert_refused(web.post(form["url"], data=fields, files={"file": FILE}), 403, "AccessDenied")


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, b"bytes"),
        ({"Content-Type": "multipart/form-data"}, b"bytes"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"bytes"),
        ({"Content-Type": "multipart/form-data; boundary=x"}, b"--x\r\n\r\na\r\n--x--\r\n"),
        (
            {"Content-Type": "multipart/form-data; boundary=x"},
            b'--x\r\nContent-Disposition: name="file"\r\n\r\na',
        ),
    ],
)
def test_not_a_form(web, form, headers, body):
    assert_refused(web.post(form["url"], content=body, headers=headers), 400, "MalformedPOSTRequest")


def test_nothing_there(web, sandbox, asset):
    assert_refused(web.get(asset["url"]), 404, "NoSuchKey")
    assert_refused(web.put(asset["url"], content=b""), 405, "MethodNotAllowed")


def test_release(api, sandbox, web, flowers, rose):
    """The file is the dataset as it was when the release was made."""
    label = api.put(f"/labels/{rose}/ground-truth/", json={"attributes": {"annotations": []}}).json()
    api.post(f"{flowers}/labelsets/", json={"name": "model"})
    created = api.post(f"{flowers}/releases", json={"name": "v0.1", "description": "My first release."})
    assert (created.status_code, created.json()["status"]) == (201, "PENDING")
    assert "url" not in created.json()["attributes"]
    sample = api.get(f"/samples/{rose}/").json()
    api.delete(f"/samples/{rose}/")

    release = api.get(f"{flowers}/releases/v0.1").json()
    assert (release["status"], release["release_type"], release["samples_count"]) == ("SUCCEEDED", "JSON", 1)
    assert release["attributes"]["url"].startswith(f"{sandbox.storage_url}/releases/")
    assert "X-Amz-Signature=" in release["attributes"]["url"]
    file = web.get(release["attributes"]["url"]).json()
    assert file["name"] == "v0.1"
    assert file["created_at"] == release["created_at"]
    assert [item["name"] for item in file["dataset"]["labelsets"]] == ["ground-truth", "model"]
    assert file["dataset"]["task_type"] == "segmentation-bitmap"
    assert file["dataset"]["samples"] == [
        {key: sample[key] for key in ("uuid", "name", "attributes", "metadata")}
        | {"labels": {"ground-truth": label, "model": None}}
    ]


def test_release_file_wants_its_signature(api, web, flowers):
    api.post(f"{flowers}/releases/", json={"name": "v1"})
    url = api.get(f"{flowers}/releases/v1/").json()["attributes"]["url"]
    assert_refused(web.get(url.partition("?")[0]), 403, "SignatureDoesNotMatch")
    assert_refused(web.get(url.replace("X-Amz-Expires=3600", "X-Amz-Expires=9999")), 403, "SignatureDoesNotMatch")
    assert_refused(api.get(url), 400, "InvalidArgument")


def test_release_rules(api, web, flowers):
    first = api.post(f"{flowers}/releases/", json={"name": "v1"}).json()
    assert first["description"] == ""
    taken = api.post(f"{flowers}/releases/", json={"name": "v1"})
    assert (taken.status_code, taken.json()) == (400, {"name": ["Release with this name already exists."]})
    assert api.post(f"{flowers}/releases/", json={}).status_code == 400
    url = api.get(f"{flowers}/releases/").json()[0]["attributes"]["url"]
    assert api.delete(f"{flowers}/releases/v1/").status_code == 204
    assert api.delete(f"{flowers}/releases/v1/").status_code == 404
    assert api.get(f"{flowers}/releases/v1/").status_code == 404
    assert_refused(web.get(url), 404, "NoSuchKey")


def test_release_that_fails(api, sandbox, flowers):
    sandbox.fail_releases = True
    api.post(f"{flowers}/releases/", json={"name": "v1"})
    sandbox.fail_releases = False
    release = api.get(f"{flowers}/releases/v1/").json()
    assert (release["status"], release["attributes"]) == ("FAILED", {})


def test_time_passes():
    """A release becomes ready, and its address and an upload form expire, by the sandbox's own clock."""
    clock = ManualClock(1_600_000_000.0)
    with (
        Sandbox(clock=clock.time, release_seconds=30) as sandbox,
        httpx.Client(base_url=sandbox.url, verify=False, trust_env=False) as web,
    ):
        headers = {"Authorization": f"APIKey {sandbox.api_key}"}
        web.post("/user/datasets/", json={"name": "flowers"}, headers=headers)
        path = "/datasets/sandbox/flowers/releases/"
        web.post(path, json={"name": "v1"}, headers=headers)
        form = web.post("/assets/", json={"filename": "a.png"}, headers=headers).json()["presignedPostFields"]
        clock.now += 29.9
        assert web.get(f"{path}v1/", headers=headers).json()["status"] == "PENDING"
        clock.now += 0.1
        release = web.get(f"{path}v1/", headers=headers).json()
        assert release["status"] == "SUCCEEDED"
        assert sandbox.releases("sandbox/flowers") == [release]
        assert web.get(release["attributes"]["url"]).status_code == 200
        clock.now += 3601
        assert_refused(web.get(release["attributes"]["url"]), 403, "AccessDenied")
        assert_refused(web.post(form["url"], data=form["fields"], files={"file": FILE}), 403, "AccessDenied")


class TestParts:
    """Files are read in parts, as S3 gives them."""

    @pytest.fixture
    def url(self, api, web):
        asset = api.post("/assets/", json={"filename": "digits.txt"}).json()
        post = asset["presignedPostFields"]
        assert web.post(post["url"], data=post["fields"], files={"file": b"0123456789"}).status_code == 204
        return asset["url"]

    @pytest.mark.parametrize(
        ("wanted", "part", "content_range"),
        [
            ("bytes=0-3", b"0123", "bytes 0-3/10"),
            ("bytes=7-", b"789", "bytes 7-9/10"),
            ("bytes=8-99", b"89", "bytes 8-9/10"),
            ("bytes=-2", b"89", "bytes 8-9/10"),
            ("bytes=-99", b"0123456789", "bytes 0-9/10"),
        ],
    )
    def test_range(self, web, url, wanted, part, content_range):
        answer = web.get(url, headers={"Range": wanted})
        assert (answer.status_code, answer.content) == (206, part)
        assert answer.headers["content-range"] == content_range
        assert answer.headers["content-length"] == str(len(part))

    @pytest.mark.parametrize("wanted", ["bytes=10-", "bytes=5-4", "bytes=-0"])
    def test_range_that_is_not_there(self, web, url, wanted):
        assert_refused(web.get(url, headers={"Range": wanted}), 416, "InvalidRange")

    @pytest.mark.parametrize("wanted", ["lines=0-3", "bytes=-", "bytes=0-1,3-4", "bytes=a-b"])
    def test_invalid_range(self, web, url, wanted):
        answer = web.get(url, headers={"Range": wanted})
        assert (answer.status_code, answer.content) == (200, b"0123456789")
        assert "content-range" not in answer.headers

    def test_tag(self, web, url):
        """A part is of the content that the client knows, or it is the whole."""
        whole = web.get(url)
        tag = whole.headers["etag"]
        assert (tag, whole.headers["accept-ranges"]) == ('"781e5e245d69b566979b86e28d23f2c7"', "bytes")
        assert web.get(url, headers={"Range": "bytes=7-", "If-Range": tag}).content == b"789"
        assert web.get(url, headers={"Range": "bytes=7-", "If-Range": '"other"'}).content == b"0123456789"
        head = web.head(url)
        assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "10")

    def test_signature_that_expires(self, api, sandbox, web, flowers):
        sandbox.url_seconds = 60
        assert sandbox.url_seconds == 60
        sandbox.add_release("sandbox/flowers", "v1", samples=1)
        url = api.get(f"{flowers}/releases/v1/").json()["attributes"]["url"]
        assert "X-Amz-Expires=60&" in url
        assert web.get(url).status_code == 200
        sandbox.url_seconds = -1
        url = api.get(f"{flowers}/releases/v1/").json()["attributes"]["url"]
        assert_refused(web.get(url), 403, "AccessDenied")


@pytest.mark.parametrize("samples", [0, 1, 256, 700])
def test_generated_release(api, sandbox, web, flowers, samples):
    """It is a release like any other, and any part of it is that part of the whole."""
    made = sandbox.add_release("sandbox/flowers", "v1", samples=samples, make=lambda number: {"uuid": f"u-{number}"})
    release = api.get(f"{flowers}/releases/v1/").json()
    url = release["attributes"]["url"]

    whole = web.get(url)

    assert made["samples_count"] == samples
    assert release["status"] == "SUCCEEDED"
    assert [sample["uuid"] for sample in whole.json()["dataset"]["samples"]] == [f"u-{n}" for n in range(samples)]
    assert whole.json()["dataset"]["name"] == "flowers"
    size = len(whole.content)
    assert int(whole.headers["content-length"]) == size
    for start, stop in ((0, size), (size // 2, size), (size // 3, size // 2), (size - 1, size), (5, 6)):
        part = web.get(url, headers={"Range": f"bytes={start}-{stop - 1}", "If-Range": whole.headers["etag"]})
        assert (part.status_code, part.content) == (206, whole.content[start:stop])


def test_body_that_is_cut_or_slow(api, sandbox, web, flowers):
    """Half of a part comes; or all of it, in small pieces."""
    sandbox.add_release("sandbox/flowers", "v1", samples=300)
    url = api.get(f"{flowers}/releases/v1/").json()["attributes"]["url"]
    sandbox.fail("GET", "*", origin="storage", drop="middle")
    with web.stream("GET", url) as answer, pytest.raises(httpx.RemoteProtocolError):
        answer.read()
    assert 0 < answer.num_bytes_downloaded <= int(answer.headers["content-length"]) // 2

    sandbox.fail("GET", "*", origin="storage", status=None, rate=50_000)
    started = time.monotonic()
    assert len(web.get(url, headers={"Range": "bytes=0-3999"}).content) == 4000
    assert time.monotonic() - started > 0.07


def test_made_samples(api, sandbox, web, flowers):
    """By default they are images with boxes."""
    sandbox.add_release("sandbox/flowers", "v1", samples=2)
    url = api.get(f"{flowers}/releases/v1/").json()["attributes"]["url"]
    first, second = web.get(url).json()["dataset"]["samples"]
    assert first["name"] != second["name"]
    assert len(second["labels"]["ground-truth"]["attributes"]["annotations"]) == 20


@pytest.mark.parametrize("address", ["s3://flowers/a b/rose#1.png", "gs://flowers/rose.png"])
def test_files_in_private_buckets(api, sandbox, web, flowers, address):
    """The service signs URLs to read them; without a signature, they cannot be read."""
    sample = {"name": "rose", "attributes": {"image": {"url": address}}}
    uuid = api.post(f"{flowers}/samples/", json=sample).json()["uuid"]
    assert "signed_url" not in api.get(f"/samples/{uuid}/").json()["attributes"]["image"]
    image = api.get(f"/samples/{uuid}/?include_signed_urls=1").json()["attributes"]["image"]
    assert image["url"] == address
    assert_refused(web.get(image["signed_url"]), 404, "NoSuchKey")
    sandbox.add_file(address, b"image", "image/png")
    answer = web.get(image["signed_url"])
    assert (answer.content, answer.headers["content-type"]) == (b"image", "image/png")
    assert_refused(web.get(image["signed_url"].partition("?")[0]), 403, "SignatureDoesNotMatch")


def test_a_file_that_is_not_in_a_private_bucket(sandbox):
    with pytest.raises(ValueError, match="expected an address such as"):
        sandbox.add_file("https://example.com/rose.png", b"image")
