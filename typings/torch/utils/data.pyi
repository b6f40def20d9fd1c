from collections.abc import Iterator
from typing import Any, Generic, TypeVar

T_co = TypeVar("T_co", covariant=True)

class IterableDataset(Generic[T_co]):
    def __iter__(self) -> Iterator[T_co]: ...

class WorkerInfo:
    id: int
    num_workers: int

def get_worker_info() -> WorkerInfo | None: ...

class DataLoader(Generic[T_co]):
    def __init__(
        self,
        dataset: IterableDataset[T_co],
        batch_size: int | None = 1,
        *,
        num_workers: int = 0,
        persistent_workers: bool = False,
    ) -> None: ...
    def __iter__(self) -> Iterator[Any]: ...
