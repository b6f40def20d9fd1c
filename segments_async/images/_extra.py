"""Check that the extra is installed; if not, raise an error with the command that installs it."""

from importlib import import_module

for _name in ("numpy", "PIL"):
    try:
        import_module(_name)
    except ImportError as error:
        raise ImportError(
            f'images and bitmaps need an extra: pip install "segments-async[images]" ({error})', name=_name
        ) from error
