"""Numpy; if it is missing, an error with the command that installs it."""

try:
    import numpy as np
except ImportError as _error:
    raise ImportError(
        f'bitmaps need the import extra: pip install "segments-async[import]" ({_error})', name="numpy"
    ) from _error

__all__ = ["np"]
