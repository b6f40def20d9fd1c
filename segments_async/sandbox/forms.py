from __future__ import annotations

import re
from email.message import Message

_NAME = re.compile(rb'(?im)^content-disposition:.*[; ]name="([^"\r\n]*)"')


def parse_form(content_type: str, body: bytes) -> list[tuple[str, bytes]]:
    """
    Return the names and contents of the fields of a multipart form, in order.

    The whole body is in memory, because S3 requires its length and limits its size. This parser can therefore be
    stricter than a streaming one, which accepts a truncated form; and an interrupted upload leaves no temporary file.

    Raises:
        ValueError: The body is not well-formed ``multipart/form-data``.
    """
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    if header.get_content_type() != "multipart/form-data" or boundary is None:
        raise ValueError("The body is not a multipart form.")
    opening = f"--{boundary}".encode()
    if not body.startswith(opening):
        raise ValueError("The form does not start with its boundary.")
    *parts, end = body[len(opening) :].split(b"\r\n" + opening)
    if end.rstrip() != b"--":
        raise ValueError("The form does not end with its boundary.")
    return [_parse_part(part) for part in parts]


def _parse_part(part: bytes) -> tuple[str, bytes]:
    head, blank_line, content = part.partition(b"\r\n\r\n")
    name = _NAME.search(head)
    if name is None or not blank_line:
        raise ValueError("A part of the form has no name.")
    return name[1].decode("utf-8", "replace"), content
