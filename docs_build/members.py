"""
Check that the reference of the built site has each public name of the package, and each public member of its classes.

A member is on the site if it has an anchor, or if the docstring of its class names it, as it does arguments and
attributes; in both cases at the class itself or at a base class that the site shows too.

Example:
    ::

        python docs_build/members.py build/site
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from griffe import Alias, Class, Module, Object, load

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PACKAGE = "segments_async"
ANCHOR = re.compile(rf'id="({PACKAGE}[\w.]*)"')
ELSEWHERE = {
    "segments_async.export.Plan": "segments_async.resources.Releases.export",
    "segments_async.sandbox.Fault": "segments_async.sandbox.Sandbox.fail",
}
"""Classes whose fields are the arguments of a method, which explains them."""
NOT_SHOWN = {"segments_async.__version__": "the page Install prints it"}
"""Public names that the reference leaves out, each with the reason."""


class Reference:
    """The package, and the anchors of a site that shows it."""

    def __init__(self, package: Module, anchors: set[str]) -> None:
        self.package = package
        self.anchors = anchors
        self.shown: dict[str, set[str]] = {}
        """The anchors of an object by its path, which differs from them if it is exported by several modules."""
        for anchor in anchors:
            if (found := self._find(anchor)) is not None:
                self.shown.setdefault(found.path, set()).add(anchor)

    def missing_names(self) -> list[str]:
        """List what public modules export and the site does not show."""
        names = (f"{module.path}.{name}" for module in _public_modules(self.package) for name in module.exports or ())
        return sorted(name for name in names if name not in NOT_SHOWN and self._is_missing(name))

    def missing_members(self) -> list[str]:
        """List the public members of the shown classes that the site does not show."""
        classes = [found for path in self.shown if isinstance(found := self._find(path), Class)]
        return sorted(
            f"{min(self.shown[shown.path])}.{name}"
            for shown in classes
            for name, member in shown.all_members.items()
            if not name.startswith("_") and _inside(member) and not self._is_explained(shown, name)
        )

    def _is_missing(self, name: str) -> bool:
        found = self._find(name)
        return found is not None and not isinstance(found, Module) and found.path not in self.shown

    def _is_explained(self, shown: Class, name: str) -> bool:
        bases = [base for base in shown.mro() if base.path in self.shown]
        anchors = {anchor for one in (shown, *bases) for anchor in self.shown[one.path]}
        if any(f"{anchor}.{name}" in self.anchors for anchor in anchors):
            return True
        methods = [self._find(method) for path, method in ELSEWHERE.items() if path in anchors]
        return any(_names(one, name) for one in (shown, *bases, *methods))

    def _find(self, path: str) -> Object | None:
        """Return what *path* names; None if it is the anchor of a heading, or not of the package."""
        found: Object | None = self.package
        for name in path.split(".")[1:]:
            members = found.all_members if isinstance(found, Class) else found.members if found else {}
            found = _inside(members.get(name))
        return found


def _names(owner: Object | None, name: str) -> bool:
    if owner is None or owner.docstring is None:
        return False
    if any(str(base) == "StrEnum" for base in getattr(owner, "bases", ())):
        return True  # docs_build/docstrings.py lists its values
    named = rf"^ +([\w, ]+, )?{name}(, [\w, ]+)?:|`{name}`"
    return re.search(named, owner.docstring.value, re.MULTILINE) is not None


def _inside(found: Object | Alias | None) -> Object | None:
    """Follow an alias; None if it leads out of the package."""
    if not isinstance(found, Alias):
        return found
    return found.final_target if found.target_path.startswith(f"{PACKAGE}.") else None


def _public_modules(module: Module) -> Iterator[Module]:
    """Iterate over *module* and the public ones inside it."""
    yield module
    for name, inside in module.modules.items():
        if not name.startswith("_") and isinstance(inside, Module):
            yield from _public_modules(inside)


def read_package() -> Module:
    """Read the package without importing it."""
    package = load(PACKAGE, search_paths=[ROOT], resolve_aliases=True)
    assert isinstance(package, Module)
    return package


def main(folder: str) -> int:
    """Print what the site in *folder* does not show; return 1 if there is anything."""
    pages = [page.read_text(encoding="utf-8") for page in sorted(Path(folder).rglob("*.html"))]
    reference = Reference(read_package(), {anchor for page in pages for anchor in ANCHOR.findall(page)})
    missing = reference.missing_names() + reference.missing_members()
    print(f"{len(reference.anchors)} names in the reference, {len(missing)} missing", *missing, sep="\n")
    return 1 if missing or not reference.anchors else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
