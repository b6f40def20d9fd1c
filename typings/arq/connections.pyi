# What docs/scale.md uses of arq, which requires an older redis-py than the other tests run with.
class RedisSettings:
    @classmethod
    def from_dsn(cls, dsn: str) -> RedisSettings: ...
