"""Docstrings as the reference of the site shows them: literal blocks of ``::`` become blocks of Markdown."""

from __future__ import annotations

import ast
import re
from inspect import cleandoc
from textwrap import dedent, indent
from typing import Any

from griffe import Extension, Object

LITERAL = re.compile(r"^(?P<margin> *)(?P<text>.*?)::\n\n(?P<block>(?:(?P=margin)    .*\n|\n)+)", re.MULTILINE)


def to_markdown(text: str) -> str:
    r"""
    Write a docstring so that mkdocstrings shows its examples as code.

    Example:
        >>> to_markdown("Example:\n    ::\n\n        f()")
        'Examples:\n    ```python\n    f()\n    ```\n\n'
    """
    named = re.sub(r"^( *)Example:$", r"\1Examples:", cleandoc(text) + "\n", flags=re.MULTILINE)
    return LITERAL.sub(_fenced, named)


def _fenced(found: re.Match[str]) -> str:
    block = dedent(found["block"]).strip("\n")
    heading = f"{found['text']}:\n\n" if found["text"] else ""
    return indent(f"{heading}```{_language(block)}\n{block}\n```\n", found["margin"]) + "\n"


def _language(block: str) -> str:
    try:
        compile(block, "docstring", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT | ast.PyCF_ONLY_AST)
    except SyntaxError:
        return "text"
    return "python"


class Docstrings(Extension):
    """Rewrites each docstring when the package is read."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Rewrite the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = to_markdown(obj.docstring.value)
