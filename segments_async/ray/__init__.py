"""
Samples and labels on a cluster, with Ray Data (extra ``ray``).

Example::

    from segments_async.ray import ClientOptions, RayLimiter, read_samples, write_labels

    options = ClientOptions(limiter=RayLimiter("segments"))
    samples = read_samples("jane/flowers", options=options)
    predictions = samples.map_batches(predict, batch_format="pyarrow")
    report = write_labels(predictions, labelset="predictions", options=options)
    print(report)

Every worker has the API key in its own environment. The columns are those of `segments_async.tables`.
``docs/scale.md`` is the guide.
"""

from segments_async.ray.engine import check_version
from segments_async.ray.limiter import RayLimiter
from segments_async.ray.options import ClientOptions
from segments_async.ray.reading import read_release, read_samples
from segments_async.ray.report import DistributedReport
from segments_async.ray.writing import create_samples, put_labels, write_labels, write_samples

__all__ = [
    "ClientOptions",
    "DistributedReport",
    "RayLimiter",
    "create_samples",
    "put_labels",
    "read_release",
    "read_samples",
    "write_labels",
    "write_samples",
]

check_version()
