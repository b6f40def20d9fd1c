"""JSON text that means many objects: what hostile servers send, and what the estimate of memory is compared with."""

from __future__ import annotations


def _list_of(unit: bytes, size: int) -> bytes:
    return b"[%s]" % b",".join([unit] * (size // (len(unit) + 1)))


def _numbered(form: bytes, size: int) -> bytes:
    return b",".join(form % number for number in range(size // (len(form % size) + 1)))


SHAPES = {
    "empty lists": lambda size: _list_of(b"[]", size),
    "empty objects": lambda size: _list_of(b"{}", size),
    "objects": lambda size: _list_of(b'{"a":{}}', size),
    "lists in objects": lambda size: _list_of(b'{"":[]}', size),
    "eleven members": lambda size: _list_of(b"{%s}" % _numbered(b'"%d":0', 80), size),
    "distinct members": lambda size: b"{%s}" % _numbered(b'"%d":0', size),
    "deep lists": lambda size: _list_of(b"[" * 250 + b"]" * 250, size),
    "deep objects": lambda size: _list_of(b'{"":' * 250 + b"0" + b"}" * 250, size),
    "pairs": lambda size: _list_of(b"[1.5,2.5]", size),
    "small numbers": lambda size: _list_of(b"0", size),
    "integers": lambda size: _list_of(b"257", size),
    "short strings": lambda size: _list_of(b'"a"', size),
    "wide strings": lambda size: _list_of('"€"'.encode(), size),
    "an emoji": lambda size: b'"%s"' % (b"x" * (size - 6) + "😀".encode()),
    "a written emoji": lambda size: b'"%s"' % (b"x" * (size - 14) + rb"\ud83d\ude00"),
    "large integers": lambda size: _list_of(b"1" + b"0" * 20, size),
    "lists and a large integer": lambda size: _list_of(b"[]", size)[:-1] + b",1%s]" % (b"0" * 20),
}
"""By name: a function that makes text of at most about this many bytes."""
