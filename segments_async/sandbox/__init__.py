"""
The service in memory, on a real socket: for tests, demonstrations and benchmarks.

Example:
    >>> with Sandbox() as sandbox:
    ...     print(sandbox.api_key)
    sandbox-key
"""

from importlib.util import find_spec

_missing = [name for name in ("standardwebhooks", "starlette", "uvicorn") if find_spec(name) is None]
if _missing:
    raise ImportError(
        f'The sandbox needs {", ".join(_missing)}, which its extra installs: pip install "segments-async[sandbox]"'
    )

from segments_async.sandbox.calls import Call  # noqa: E402  (the extra is checked first)
from segments_async.sandbox.faults import Fault  # noqa: E402
from segments_async.sandbox.server import Sandbox  # noqa: E402
from segments_async.sandbox.webhooks import Delivery  # noqa: E402

__all__ = ["Call", "Delivery", "Fault", "Sandbox"]
