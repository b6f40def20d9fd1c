"""A release as a dataset of Hugging Face (extra ``huggingface``)."""

from __future__ import annotations

from hashlib import file_digest, sha256
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from segments_async import AsyncSegments
from segments_async._version import __version__
from segments_async.errors import SegmentsError
from segments_async.training.reading import ItemOptions, Reading
from segments_async.training.rows import Rows

try:
    import datasets
    from datasets.exceptions import DatasetGenerationError
except ImportError as _error:
    raise ImportError(
        f'to_huggingface needs an extra: pip install "segments-async[huggingface]" ({_error})', name=_error.name
    ) from _error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from segments_async._releases.source import ReleaseSource


@overload
def to_huggingface(
    source: ReleaseSource,
    name: str | None = None,
    *,
    streaming: Literal[False] = False,
    num_shards: int = 8,
    num_proc: int | None = None,
    cache_dir: str | None = None,
    client: Callable[[], AsyncSegments] = AsyncSegments,
    **options: Unpack[ItemOptions],
) -> datasets.Dataset: ...


@overload
def to_huggingface(
    source: ReleaseSource,
    name: str | None = None,
    *,
    streaming: Literal[True],
    num_shards: int = 8,
    num_proc: int | None = None,
    cache_dir: str | None = None,
    client: Callable[[], AsyncSegments] = AsyncSegments,
    **options: Unpack[ItemOptions],
) -> datasets.IterableDataset: ...


def to_huggingface(
    source: ReleaseSource,
    name: str | None = None,
    *,
    streaming: bool = False,
    num_shards: int = 8,
    num_proc: int | None = None,
    cache_dir: str | None = None,
    client: Callable[[], AsyncSegments] = AsyncSegments,
    **options: Unpack[ItemOptions],
) -> datasets.Dataset | datasets.IterableDataset:
    """
    Make a dataset of Hugging Face ``datasets`` of a release, with an image a row (extra ``huggingface``).

    Example::

        dataset = to_huggingface("flowers-v1.json", label_status="REVIEWED")
        print(dataset.features["objects"], dataset[0]["image"].size)
        dataset.push_to_hub("jane/flowers")

    The columns:

    - ``image``: `datasets.Image`, with the file as it was downloaded, not compressed again.
    - ``mask``: `datasets.Image`, only of segmentation datasets: grey, each pixel's category as its number in the
      `ClassLabel` of ``objects``, and 255 where there is none (65535, with 16 bits, from 256 categories on); None for
      an image without a bitmap.
    - ``objects``: for each annotation its ``id``, ``category`` (`datasets.ClassLabel`; the category's id where the
      release has no categories), ``bbox`` (left, top, width and height in pixels, as in COCO; None without an area),
      ``track_id``, ``type``, ``points`` and ``attributes`` (JSON).
    - ``name``, ``uuid``, ``metadata`` (JSON), ``status`` (``UNLABELED`` without a label), ``frame``, ``sensor`` and
      ``camera`` of the image's sample.

    Without *streaming*, the whole release is downloaded and written to the cache of ``datasets`` as Arrow files. The
    same release with the same arguments is read from there the next time, so what ``on_error="skip"`` left out then is
    missing again.

    Args:
        source: The path of a release file, which is best; or a dataset, together with *name*; or a `Release`, or the
            URL of a file. All but a path are downloaded by each shard, unless there is a *cache*.
        name: The release's name.
        streaming: Whether to return an `IterableDataset`, which downloads images while it is iterated over.
        num_shards: Parts that ``datasets`` distributes among workers and ranks of a stream; each reads the whole
            release file. Choose a multiple of ranks x workers.
        num_proc: Processes that download in parallel, without *streaming*.
        cache_dir: Folder of the Arrow files, without *streaming*; by default that of ``datasets``.
        client: Called in each process to make its client, such as ``functools.partial(AsyncSegments, api_key)``.
        options: The other arguments of ``client.releases.iterate``. With ``images=False``, a sample is a row.

    Returns:
        A ``datasets.Dataset``; with *streaming*, a ``datasets.IterableDataset``, which has no length.

    Raises:
        InputError: An argument is invalid; or as in ``client.releases.iterate``.
        AuthenticationError: There is no API key.
        DecodeError: An image cannot be decoded, or an annotation has no category of the release.
    """
    reading = Reading.of(source, name, client, options)
    with Reading.of(source, name, client, {**options, "images": False, "bitmaps": False}).open() as reader:
        rows = Rows.of(reader.release.dataset, options)
        content = _checksum(reader.release.path)
    shards = num_shards if streaming else num_proc or 1
    features = _features(rows)
    arguments = {"reading": reading, "rows": rows, "shards": [(index, shards) for index in range(shards)]}
    if streaming:
        return datasets.IterableDataset.from_generator(_generate, features=features, gen_kwargs=arguments)
    described = f"{content} {__version__} {features} {sorted(reading.options.items())}"
    fingerprint = sha256(described.encode()).hexdigest()[:32]
    try:
        return datasets.Dataset.from_generator(
            _generate,
            features=features,
            gen_kwargs=arguments,
            num_proc=num_proc,
            cache_dir=cache_dir,
            fingerprint=fingerprint,
        )
    except DatasetGenerationError as error:
        if isinstance(error.__cause__, SegmentsError):
            raise error.__cause__ from None
        raise
    except ValueError as error:
        if "no data" not in str(error):
            raise
        return datasets.Dataset.from_dict({name: [] for name in features}, features=features)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _generate(reading: Reading, rows: Rows, shards: Sequence[tuple[int, int]]) -> Iterator[dict[str, Any]]:
    for shard in shards:
        yield from reading.results(rows.row, shard=shard, files=True)


def _features(rows: Rows) -> datasets.Features:
    integer, text = datasets.Value("int64"), datasets.Value("string")
    features: dict[str, Any] = {"image": datasets.Image()} if rows.images else {}
    if rows.masks:
        features["mask"] = datasets.Image()
    names = list(rows.category_names)
    features["objects"] = datasets.Sequence(
        {
            "id": integer,
            "category": datasets.ClassLabel(names=names) if names else integer,
            "bbox": datasets.Sequence(datasets.Value("float32")),
            "track_id": integer,
            "type": text,
            "points": datasets.Sequence(datasets.Sequence(datasets.Value("float64"))),
            "attributes": text,
        }
    )
    return datasets.Features(
        {
            **features,
            **dict.fromkeys(("name", "uuid", "metadata", "status"), text),
            "frame": integer,
            "sensor": text,
            "camera": text,
        }
    )
