"""A server that does so little that it is not what is measured: it reads a request, and answers with one label."""

from __future__ import annotations

import asyncio
import json
from typing import Any

LABEL: dict[str, Any] = {
    "sample_uuid": "10130ecd-790e-463d-86ce-747f5c545c77",
    "label_type": "vector",
    "label_status": "PRELABELED",
    "labelset": "ground-truth",
    "attributes": {
        "format_version": "0.1",
        "annotations": [{"id": 1, "category_id": 1, "type": "bbox", "points": [[12.5, 56.0], [90.0, 34.0]]}],
    },
    "created_at": "2020-04-10T20:09:31Z",
    "created_by": "jane",
    "updated_at": "2020-04-10T20:09:31Z",
    "score": 0.9254,
}
BODY = json.dumps(LABEL).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


class Connection(asyncio.Protocol):
    """One connection: every whole request gets the one answer."""

    def __init__(self) -> None:
        self._received = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer every request that has arrived whole."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = bytes(self._received[:end]).lower()
            _, found, length = head.partition(b"content-length:")
            whole = end + 4 + (int(length.split(b"\r\n", 1)[0]) if found else 0)
            if len(self._received) < whole:
                return
            del self._received[:whole]
            self._transport.write(ANSWER)


async def serve() -> None:
    """Listen on a free port, print it, and serve until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Connection, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())
