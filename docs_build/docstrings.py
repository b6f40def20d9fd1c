"""
Docstrings as the reference of the site shows them.

Literal blocks of ``::`` become blocks of Markdown, names of pages become links, and enums list their values.
"""

from __future__ import annotations

import ast
import re
from inspect import cleandoc
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

from griffe import Attribute, Class, Extension, Object

DOCS = Path(__file__).parents[1] / "docs"
PAGE = re.compile(r"``docs/(\w+)\.md``")

LITERAL = re.compile(r"^(?P<margin> *)(?P<text>.*?)::\n\n(?P<block>(?:(?P=margin)    .*\n|\n)+)", re.MULTILINE)


def to_markdown(text: str) -> str:
    r"""
    Write a docstring so that mkdocstrings shows its examples as code.

    Example:
        >>> to_markdown("Call it.\nExample::\n\n    f()")
        'Call it.\nExamples:\n    ```python\n    f()\n    ```\n\n'
    """
    named = re.sub(r"^( *)Example(?=::?$)", r"\1Examples", cleandoc(text) + "\n", flags=re.MULTILINE)
    return PAGE.sub(_linked, LITERAL.sub(_fenced, named))


def values_of(enum: Class) -> str:
    """Write the members of an enum, each with its value."""
    members = [member for member in enum.members.values() if isinstance(member, Attribute)]
    return "\n".join(f"{member.name} = {member.value}" for member in members)


def _linked(found: re.Match[str]) -> str:
    """Name a page by its title; pages of the reference are in a folder of that name."""
    title = (DOCS / f"{found[1]}.md").read_text(encoding="utf-8").partition("\n")[0].removeprefix("# ")
    return f"[{title}](../{found[1]}.md)"


def _fenced(found: re.Match[str]) -> str:
    block = dedent(found["block"]).strip("\n")
    fenced = f"```{_language(block)}\n{block}\n```\n"
    if found["text"] == "Examples":
        fenced = f"Examples:\n{indent(fenced, '    ')}"  # a section, whose content is indented
    elif found["text"]:
        fenced = f"{found['text']}:\n\n{fenced}"
    return indent(fenced, found["margin"]) + "\n"


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

    def on_class_members(self, *, cls: Class, **_: Any) -> None:
        """List the values of an enum, as its members have no docstrings of their own."""
        if cls.docstring is not None and any(str(base) == "StrEnum" for base in cls.bases):
            cls.docstring.value += f"\n\n```python\n{values_of(cls)}\n```\n"
