"""
List the public names of the package: modules, classes with their members, callables with their parameters.

Run as a program, it prints them as JSON; ``public_names_0_1.json`` is what it printed on the last commit of 0.1.
"""

from __future__ import annotations

import inspect
import json
import sys
from importlib import import_module

MODULES = (
    "segments_async",
    *(
        f"segments_async.{name}"
        for name in (
            *(
                "bulk",
                "errors",
                "export",
                "fastapi",
                "hooks",
                "images",
                "limits",
                "imports",
                "models",
                "pointclouds",
                "progress",
                "resources",
                "tables",
                "sandbox",
            ),
            *("settings", "testing", "webhooks"),
        )
    ),
)


def public_names() -> dict[str, list[str]]:
    """Each public name with its members or its parameters."""
    found: dict[str, list[str]] = {}
    for name in MODULES:
        module = import_module(name)
        for exported in getattr(module, "__all__", None) or vars(module):
            value = getattr(module, exported)
            home = getattr(getattr(value, "__origin__", value), "__module__", "") or ""
            if exported.startswith("_") or inspect.ismodule(value) or not home.startswith("segments_async"):
                continue
            found[f"{name}.{exported}"] = sorted(set(_details(value)))
    return found


def _details(value: object) -> list[str]:
    if not inspect.isclass(value):
        return _parameters(value) if callable(value) else []
    members: list[str] = []
    for name, member in inspect.getmembers(value):
        if name.startswith("_") and name != "__init__":
            continue
        members += [] if name == "__init__" else [name]
        if inspect.isfunction(member):
            members += [f"{name}({parameter})" for parameter in _parameters(member)]
    return members


def _parameters(function: object) -> list[str]:
    try:
        names = list(inspect.signature(function).parameters)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return []
    return [name for name in names if name != "self"]


if __name__ == "__main__":
    lines = (f"{json.dumps(name)}: {json.dumps(details)}" for name, details in sorted(public_names().items()))
    sys.stdout.write("{" + ",\n".join(lines) + "}\n")
