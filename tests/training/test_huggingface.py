"""`to_huggingface` with the real ``datasets``; ``.ci/run`` installs it in an environment of its own."""

from __future__ import annotations

import io
import signal
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from segments_async import DecodeError

datasets = pytest.importorskip("datasets", reason="datasets is not installed in this environment")
from segments_async.training import to_huggingface  # noqa: E402 (needs datasets)

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]


@pytest.fixture(autouse=True)
def _quiet():
    datasets.disable_progress_bars()


@pytest.fixture
def make(service, tmp_path):
    def make(**options):
        return to_huggingface(service.path, client=service.client, cache_dir=str(tmp_path / "hf"), **options)

    return make


def jpeg_of(number):
    file = io.BytesIO()
    Image.new("RGB", (6, 4), (number, 0, 0)).save(file, "JPEG")
    return file.getvalue()


def test_a_dataset(service, make, tmp_path):
    """Each image once, its file as it was, with a mask and objects whose categories have names."""
    photo = jpeg_of(1)
    service.build(4, s1=photo)
    dataset = make()

    assert isinstance(dataset, datasets.Dataset)
    assert dataset["name"][:] == ["s0", "s1", "s2", "s3"]
    assert isinstance(dataset.features["image"], datasets.Image)
    label = dataset.features["objects"]["category"].feature
    row = dataset[2]
    assert label.int2str(row["objects"]["category"]) == ["rose"]
    assert row["objects"]["bbox"] == [[0, 1, 6, 3]]
    assert row["image"].getpixel((0, 0)) == (2, 0, 0)
    assert np.asarray(row["mask"]).tolist() == [[255] * 6] + [[1] * 6] * 3
    assert dataset.cast_column("image", datasets.Image(decode=False))[1]["image"]["bytes"] == photo
    written = b"".join(path.read_bytes() for path in (tmp_path / "hf").rglob("*") if path.is_file())
    assert service.sandbox.api_key.encode() not in written


def test_the_cache_of_datasets(service, make, tmp_path):
    """The same release is not read again; another one in the same file is."""
    service.build(2)
    assert len(make()) == 2
    service.sandbox.clear_calls()
    assert len(make()) == 2
    assert not service.sandbox.calls
    service.path.write_text(service.path.read_text().replace('"s1"', '"other"'))
    assert make()["name"][:] == ["s0", "other"]
    assert make(label_status="REVIEWED").num_rows == 0


def test_processes(service, make):
    service.build(5)
    assert sorted(make(num_proc=2)["name"][:]) == [f"s{number}" for number in range(5)]


def test_an_error_is_ours(service, make, caplog):
    service.build(3, s1=b"no image")
    with pytest.raises(DecodeError, match="the image of sample 's1'"):
        make()
    assert make(on_error="skip")["name"][:] == ["s0", "s2"]
    assert "left out sample 's1'" in caplog.text
    with pytest.raises(DecodeError, match="the image of sample 's1'"):
        list(make(streaming=True))


def test_a_stream(service, make):
    service.build(9)
    stream = make(streaming=True)
    assert isinstance(stream, datasets.IterableDataset)
    assert sorted(row["name"] for row in stream) == [f"s{number}" for number in range(9)]
    assert [row["image"].size for row in stream.take(2)] == [(6, 4)] * 2
    shuffled = stream.shuffle(seed=1, buffer_size=4)
    epochs = []
    for epoch in range(2):
        shuffled.set_epoch(epoch)
        epochs.append([row["name"] for row in shuffled])
    assert sorted(epochs[0]) == sorted(epochs[1])
    assert epochs[0] != epochs[1]


def test_a_stream_over_ranks(service, make):
    """`split_dataset_by_node` gives each rank its shards."""
    from datasets.distributed import split_dataset_by_node  # noqa: PLC0415 (needs datasets)

    service.build(9)
    stream = make(streaming=True, num_shards=4)
    parts = [[row["name"] for row in split_dataset_by_node(stream, rank, 2)] for rank in range(2)]
    assert sorted(parts[0] + parts[1]) == [f"s{number}" for number in range(9)]


def test_a_stream_continues(service, make):
    """From `state_dict`, as a training that was interrupted does."""
    service.build(9)
    stream = make(streaming=True, num_shards=2)
    rows = iter(stream)
    before = [next(rows)["name"] for _ in range(3)]
    state = stream.state_dict()
    again = make(streaming=True, num_shards=2)
    again.load_state_dict(state)
    assert sorted(before + [row["name"] for row in again]) == [f"s{number}" for number in range(9)]


@pytest.mark.parametrize("method", ["fork", "spawn"])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_workers_of_torch(service, make, method):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed in this environment")
    service.build(9)
    stream = make(streaming=True).select_columns(["name"])
    loader = torch.utils.data.DataLoader(stream, batch_size=None, num_workers=2, multiprocessing_context=method)
    assert sorted(row["name"] for row in loader) == [f"s{number}" for number in range(9)]


ENDS = {"raise ValueError": 1, "sys.exit(3)": 3, "signal.raise_signal(signal.SIGINT)": -signal.SIGINT}


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("end", ENDS)
def test_a_script_ends_in_the_middle_of_a_stream(service, end):
    code = f"""
import signal, sys
from segments_async.training import to_huggingface
rows = iter(to_huggingface(sys.argv[1], streaming=True))
print(next(rows)["name"], flush=True)
{end}
"""
    command = [sys.executable, "-c", code, str(service.build(6))]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (ended.stdout, ended.returncode) == ("s0\n", ENDS[end]), ended.stderr
