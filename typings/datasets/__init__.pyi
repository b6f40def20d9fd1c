# What segments_async.training uses of Hugging Face datasets, so that its types can be checked without installing it.
from collections.abc import Callable, Iterator, Mapping
from typing import Any

class Features(dict[str, Any]): ...

class Dataset:
    @staticmethod
    def from_generator(
        generator: Callable[..., Iterator[dict[str, Any]]],
        features: Features | None = None,
        cache_dir: str | None = None,
        *,
        gen_kwargs: Mapping[str, Any] | None = None,
        num_proc: int | None = None,
        fingerprint: str | None = None,
    ) -> Dataset: ...
    @classmethod
    def from_dict(cls, mapping: Mapping[str, Any], features: Features | None = None) -> Dataset: ...

class IterableDataset:
    @staticmethod
    def from_generator(
        generator: Callable[..., Iterator[dict[str, Any]]],
        features: Features | None = None,
        gen_kwargs: Mapping[str, Any] | None = None,
    ) -> IterableDataset: ...

def Value(dtype: str) -> Any: ...
def Image() -> Any: ...
def Sequence(feature: Any) -> Any: ...
def ClassLabel(*, names: list[str]) -> Any: ...
