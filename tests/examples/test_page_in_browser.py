"""The page in a real browser: dropped files are uploaded, changes made elsewhere appear, errors are shown."""

from __future__ import annotations

import os
import shutil
import socket
import threading

import anyio
import pytest
import uvicorn
from anyio import sleep_forever, to_thread
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.support.ui import WebDriverWait

from examples.fastapi_app.__main__ import Server, make_dataset
from examples.fastapi_app.app import Settings, make_app
from examples.fastapi_app.uploads import PictureUploads
from segments_async import AsyncSegments

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
FLAGS = (
    "--headless",
    "--no-sandbox",  # of the browser; it refuses to start as root otherwise
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SHOTS = os.environ.get("SCREENSHOTS")
"""A folder for pictures of the page, for people to look at."""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        CHROMIUM is None or DRIVER is None,
        reason="needs Chromium and its driver of the system's packages: apt-get install chromium chromium-driver",
    ),
]

DROP = """
const files = new DataTransfer();
for (const [name, bytes] of arguments[0]) files.items.add(new File([new Uint8Array(bytes)], name));
document.getElementById("drop").dispatchEvent(
  new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
"""
BARS = """
window.bars = [];
const bar = document.getElementById("bar");
new MutationObserver(() => window.bars.push(bar.value)).observe(bar, { attributes: true });
"""


class Page:
    """What a user sees and does."""

    def __init__(self, driver: Chrome) -> None:
        self.driver = driver

    def open(self, url: str) -> None:
        self.driver.get(url)
        self.until(lambda: self.text("#connection") == "live")
        self.driver.execute_script(BARS)

    def until(self, condition):
        return WebDriverWait(self.driver, 20, 0.05).until(lambda _: condition())

    def all(self, selector: str):
        return self.driver.find_elements("css selector", selector)

    def text(self, selector: str) -> str:
        return self.all(selector)[0].text

    def choose(self, *paths) -> None:
        self.all("#files")[0].send_keys("\n".join(map(str, paths)))

    def drop(self, *files: tuple[str, bytes]) -> None:
        self.driver.execute_script(DROP, [[name, list(content)] for name, content in files])

    @property
    def names(self) -> list[str]:
        names = "return [...document.querySelectorAll('#samples .name')].map((name) => name.textContent)"
        return self.driver.execute_script(names)  # at one moment, as cards come and go

    def shown(self, name: str):
        """The card of a sample."""
        return next(card for card in self.all("#samples li") if card.find_element("css selector", ".name").text == name)

    def label_of(self, name: str) -> str:
        return self.shown(name).find_element("css selector", ".label").text

    def shoot(self, name: str) -> None:
        if SHOTS:
            self.driver.save_screenshot(f"{SHOTS}/{name}.png")


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    options = ChromeOptions()
    options.binary_location = CHROMIUM
    profile = tmp_path_factory.mktemp("profile")
    for flag in (*FLAGS, f"--user-data-dir={profile}", "--window-size=1100,900"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = Chrome(options, Service(DRIVER))
    yield driver
    driver.quit()


@pytest.fixture
def page(driver, demo):
    page = Page(driver)
    page.open(demo.url)
    yield page
    assert [line for line in driver.get_log("browser") if line["level"] == "SEVERE"] == []


def test_files_that_are_chosen_are_uploaded_and_listed(page, png, tmp_path):
    """The bar goes up to 100 %, and each sample is there with its image."""
    paths = [tmp_path / f"rose {number}.png" for number in range(6)]
    for number, path in enumerate(paths):
        path.write_bytes(png(40 * number))

    page.choose(*paths)
    page.until(lambda: page.text("#percent") == "100 %" and "uploaded." in page.text("#status"))

    assert page.text("#status") == "6 images of 6 uploaded."
    bars = page.driver.execute_script("return window.bars")
    assert bars == sorted(bars)
    assert bars[-1] == 100
    page.until(lambda: {path.name for path in paths} <= set(page.names))
    widths = "return [...document.querySelectorAll('#samples img')].map((image) => image.naturalWidth)"
    page.until(lambda: set(page.driver.execute_script(widths)) == {40})
    assert page.label_of("rose 0.png") == "not labeled yet"


def test_a_label_from_elsewhere_appears(page, demo, png):
    """A webhook reports it; the page is not reloaded."""
    page.drop(("violet.png", png(200)))
    page.until(lambda: "violet.png" in page.names)
    page.driver.execute_script("window.same = true")
    uuid = page.shown("violet.png").get_attribute("data-uuid")

    box = {"id": 1, "category_id": 2, "type": "bbox", "points": [[5, 5], [30, 20]]}
    with demo.service() as service:
        body = {"attributes": {"annotations": [box]}, "label_status": "REVIEWED"}
        assert service.put(f"/labels/{uuid}/ground-truth/", json=body).is_success
        page.until(lambda: page.label_of("violet.png") == "leaf · reviewed")
        shape = page.shown("violet.png").find_element("css selector", "svg polygon")
        assert shape.get_attribute("points") == "5,5 30,5 30,20 5,20"
        page.shoot("labelled")

        service.delete(f"/labels/{uuid}/ground-truth/")
        page.until(lambda: page.label_of("violet.png") == "not labeled yet")
        service.delete(f"/samples/{uuid}/")
        page.until(lambda: "violet.png" not in page.names)
    assert page.driver.execute_script("return window.same") is True


def test_file_that_is_not_an_image_is_reported(page, png):
    """The error is shown beside the uploads; a name is shown as text, whatever it looks like."""
    evil = "<img src=x onerror=document.title='taken'>.png"
    page.drop(("good.png", png(1)), ("empty.png", b""), ("notes.png", b"not an image"), (evil, png(2)))
    page.until(lambda: "uploaded." in page.text("#status"))

    assert page.text("#status") == "2 images of 4 uploaded."
    problems = page.text("#problems ul").splitlines()
    assert problems == [
        "empty.png: The file is empty.",
        "notes.png: This is not a PNG, JPEG, WebP or BMP image.",
    ]
    page.until(lambda: evil in page.names)
    assert page.driver.title == "Images to label"
    page.shoot("problems")

    page.drop(("good.png", png(3)))
    page.until(lambda: "already has images with these names" in page.text("#problems ul"))
    assert page.text("#status") == "0 images of 1 uploaded."
    assert "good.png" in page.text("#problems ul")


def test_the_page_is_used_on_a_telephone(page, png):
    """Nothing is wider than the window, and a label is a click away."""
    page.drop(("a-long-name-that-does-not-end-soon-" * 4 + ".png", png(9)), ("daisy.png", png(7)))
    page.until(lambda: "daisy.png" in page.names)
    page.driver.set_window_size(500, 800)  # no window of Chromium's is narrower
    try:
        widest = page.driver.execute_script("return [document.documentElement.scrollWidth, innerWidth]")
        assert widest[0] <= widest[1]
        page.until(lambda: page.driver.execute_script("return document.images[0].complete"))
        page.shown("daisy.png").find_element("css selector", "button").click()
        page.until(lambda: page.label_of("daisy.png") == "flower · labeled")
        page.shoot("telephone")
    finally:
        page.driver.set_window_size(1100, 900)


def test_long_names_show_their_end(page, png):
    """They are cut in the middle; the whole name is there to be read and copied."""
    name = "a-row-of-flowers-in-the-garden-" * 3 + "0042.png"
    page.drop((name, png(11)))
    page.until(lambda: name in page.names)

    shown = page.shown(name).find_element("css selector", ".name")
    start, end = shown.find_elements("css selector", "span")
    assert shown.get_attribute("title") == name
    assert end.text == name[-10:]
    assert page.driver.execute_script("return arguments[0].scrollWidth > arguments[0].clientWidth", start)
    assert page.driver.execute_script("return arguments[0].scrollWidth <= arguments[0].clientWidth", shown)
    assert start.rect["y"] + start.rect["height"] == pytest.approx(end.rect["y"] + end.rect["height"], abs=3)
    assert end.rect["x"] + end.rect["width"] <= shown.rect["x"] + shown.rect["width"] + 1  # rounded
    page.shoot("long-name")


def test_many_are_uploaded_in_several_forms(page, png, demo):
    """More than the server accepts at once; a page that is opened later shows them all."""
    page.drop(*((f"aster {number}.png", png(number, 4, 3)) for number in range(70)))
    page.until(lambda: page.text("#status") == "70 images of 70 uploaded.")
    page.until(lambda: len(page.names) == 60)
    with demo.service() as service:
        total = int(service.get("/datasets/sandbox/flowers/").json()["samples_count"])
        more = f"{total - 60} more samples are not shown."
        page.until(lambda: page.text("#more") == more)
        page.open(demo.url)
        page.until(lambda: len(page.names) == 60)
        assert page.text("#more") == more
        page.shoot("many")

        oldest = service.get("/datasets/sandbox/flowers/samples/").json()[0]
        service.delete(f"/samples/{oldest['uuid']}/")
        page.until(lambda: page.text("#more") == f"{total - 61} more samples are not shown.")
        assert len(page.names) == 60


@pytest.fixture
def own_page(driver, sandbox, tmp_path):
    """The page before a sandbox that this test can slow down and break."""
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    secret = sandbox.add_webhook(f"{url}/webhooks/segments")
    settings = Settings(dataset=anyio.run(make_dataset, sandbox), secret=secret, folder=tmp_path / "kept")
    app = make_app(settings, lambda: AsyncSegments(sandbox.api_key, base_url=sandbox.url, max_connections=2))
    server = Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=5), app.state.live)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    page = Page(driver)
    page.open(url)
    yield page
    server.should_exit = True
    thread.join(20)
    assert not thread.is_alive()


def test_an_upload_is_cancelled(own_page, sandbox, png):
    """Samples uploaded by then stay, and the next upload is not affected."""
    sandbox.latency = 0.1
    own_page.drop(*((f"{number}.png", png(number)) for number in range(40)))
    own_page.until(lambda: " of 40 stored …" in own_page.text("#status") and len(own_page.names) > 2)
    own_page.shoot("under-way")
    own_page.all("#cancel")[0].click()
    own_page.until(lambda: own_page.text("#status").startswith("Cancelled;"))
    sandbox.latency = 0.0

    stored = len(sandbox.samples("sandbox/flowers"))
    assert 2 < stored < 40
    counted = int(own_page.text("#status").split()[1])
    assert 0 < counted <= stored  # a sample may be stored while its answer is under way
    assert own_page.text("#percent") == f"{100 * counted // 40} %"
    own_page.drop(("last.png", png(50)))
    own_page.until(lambda: own_page.text("#status") == "1 image of 1 uploaded.")
    assert own_page.text("#percent") == "100 %"


def test_cancel_while_the_server_accepts_the_images(own_page, sandbox, png, monkeypatch):
    """The images have arrived, but the page does not know their upload yet."""
    receive, clicked, received = PictureUploads.receive, threading.Event(), threading.Event()

    async def receive_slowly(self, *form):
        accepted = await receive(self, *form)
        received.set()
        await to_thread.run_sync(clicked.wait, 20)
        return accepted

    monkeypatch.setattr(PictureUploads, "receive", receive_slowly)
    fault = sandbox.fail("POST", "/assets/", times=None, delay=30)
    own_page.drop(("rose.png", png(1)), ("violet.png", png(2)))
    own_page.until(received.is_set)
    own_page.until(lambda: own_page.text("#percent") == "20 %")  # the page knows it too, and no longer aborts the form
    own_page.all("#cancel")[0].click()
    clicked.set()
    own_page.until(lambda: own_page.text("#status") == "Cancelled; 0 images of 2 uploaded.")

    states = "return fetch('uploads/').then((response) => response.json())"
    own_page.until(lambda: [upload["state"] for upload in own_page.driver.execute_script(states)] == ["cancelled"])
    assert fault.hits <= 2
    assert sandbox.samples("sandbox/flowers") == []


def test_cancel_before_the_page_knows_that_the_images_arrived(own_page, sandbox, png, monkeypatch):
    """The page aborts a form that the server has whole: what it began with is cancelled too."""
    receive, received = PictureUploads.receive, threading.Event()

    async def receive_and_wait(self, *form):
        await receive(self, *form)
        received.set()
        await sleep_forever()

    monkeypatch.setattr(PictureUploads, "receive", receive_and_wait)
    unnoticed = "Object.defineProperty(XMLHttpRequestUpload.prototype, 'onload', { set() {} });"
    own_page.driver.execute_script(unnoticed)
    fault = sandbox.fail("POST", "/assets/", times=None, delay=30)
    own_page.drop(("rose.png", png(1)), ("violet.png", png(2)))
    own_page.until(received.is_set)
    own_page.all("#cancel")[0].click()
    own_page.until(lambda: own_page.text("#status") == "Cancelled; 0 images of 2 uploaded.")

    states = "return fetch('uploads/').then((response) => response.json())"
    own_page.until(lambda: [upload["state"] for upload in own_page.driver.execute_script(states)] == ["cancelled"])
    assert fault.hits <= 2
    assert sandbox.samples("sandbox/flowers") == []


def test_what_failed_is_tried_again_by_a_click(own_page, sandbox, png):
    sandbox.fail("POST", "/assets/", status=400, json={"detail": "the service's own words"})
    own_page.drop(*((f"{number}.png", png(number)) for number in range(3)))
    own_page.until(lambda: own_page.text("#status") == "2 images of 3 uploaded.")
    assert own_page.text("#problems ul") == "1 image could not be uploaded."

    own_page.all("#again")[0].click()
    own_page.until(lambda: own_page.text("#status") == "3 images of 3 uploaded.")
    own_page.until(lambda: len(own_page.names) == 3)
    assert own_page.all("#samples button") == []  # no simulated labeller runs here
