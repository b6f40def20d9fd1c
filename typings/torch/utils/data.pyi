from collections.abc import Iterator
from typing import Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)

class IterableDataset(Generic[T_co]):
    def __iter__(self) -> Iterator[T_co]: ...

class WorkerInfo:
    id: int
    num_workers: int

def get_worker_info() -> WorkerInfo | None: ...
