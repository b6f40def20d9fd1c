"""Check that the extra is installed; if not, raise an error with the command that installs it."""

from importlib import import_module
from types import ModuleType

_COMMAND = 'pip install "segments-async[pointcloud]"'


def require(name: str, purpose: str) -> ModuleType:
    """
    Import a module of the extra.

    Raises:
        ImportError: It is not installed, or cannot be imported.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ImportError(f"{purpose} need an extra: {_COMMAND} ({error})", name=name) from error


require("numpy", "point clouds")
