from typing import Any

class BlockMetadata:
    def __init__(self, num_rows: Any, size_bytes: Any, input_files: Any, exec_stats: Any) -> None: ...
