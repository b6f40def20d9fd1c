# What docs/scale.md uses of Dask's distributed, so that its types can be checked without installing it.
from collections.abc import Callable, Iterable
from typing import Any

class WorkerPlugin: ...

class Worker:
    plugins: dict[str, WorkerPlugin]

class Future:
    def result(self) -> Any: ...

class Client:
    def register_plugin(self, plugin: WorkerPlugin, name: str | None = None) -> object: ...
    def map(self, func: Callable[..., Any], *iterables: Iterable[Any], pure: bool = True) -> list[Future]: ...

def get_worker() -> Worker: ...
