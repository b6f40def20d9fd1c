"""
An in-memory implementation of the service on a real socket, for tests, demos and benchmarks.

Example:
    >>> with Sandbox() as sandbox:
    ...     print(sandbox.api_key)
    sandbox-key
"""

from importlib.util import find_spec

_missing = [name for name in ("standardwebhooks", "starlette", "uvicorn") if find_spec(name) is None]
if _missing:
    raise ImportError(
        f'segments_async.sandbox needs {", ".join(_missing)}; install it with: pip install "segments-async[sandbox]"'
    )

from segments_async.sandbox.calls import Call  # noqa: E402  (check the extra first)
from segments_async.sandbox.faults import Fault  # noqa: E402
from segments_async.sandbox.server import Sandbox  # noqa: E402
from segments_async.sandbox.strict import Remark  # noqa: E402
from segments_async.sandbox.variants import Variants  # noqa: E402
from segments_async.sandbox.webhooks import Delivery  # noqa: E402

__all__ = ["Call", "Delivery", "Fault", "Remark", "Sandbox", "Variants"]
