"""
Fuzz one target with atheris: ``python tests/fuzz/fuzz.py answer -max_total_time=600``.

Inputs that break a promise are written to the current folder, one for each place that raised; the run continues.
Options after the target are those of libFuzzer, such as a folder to keep the corpus in.
"""

from __future__ import annotations

import hashlib
import sys
import traceback
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["segments_async", "h11", "httpcore", "standardwebhooks"]):
    import fuzz_targets  # noqa: F401 (registers the targets)
    from fuzz_setup import SEEDS, TARGETS, prepared


def main() -> None:
    """Run the target that the first argument names."""
    name, *options = sys.argv[1:]
    run, found = TARGETS[name], set[str]()
    for number, seed in enumerate(SEEDS[name]):  # libFuzzer cannot start from a list
        folder = next((Path(option) for option in options if not option.startswith("-")), None)
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"seed-{number}").write_bytes(seed)

    def check(data: bytes) -> None:
        try:
            run(data)
        except Exception as error:  # noqa: BLE001 (whatever it is breaks a promise)
            frames = traceback.extract_tb(error.__traceback__)
            place = f"{type(error).__name__} {[f'{frame.filename}:{frame.lineno}' for frame in frames[-3:]]}"
            if place not in found:
                found.add(place)
                file = Path(f"found-{name}-{hashlib.sha256(data).hexdigest()[:12]}")
                file.write_bytes(data)
                traceback.print_exc()
                print(f"written to {file}", file=sys.stderr)  # noqa: T201 (this is a command)

    atheris.Setup([sys.argv[0], "-timeout=20", "-rss_limit_mb=2048", *options], check)
    with prepared():
        atheris.Fuzz()


if __name__ == "__main__":
    main()
