"""The files that other tools read say the same as pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml

from segments_async import __version__

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
FORMS = sorted(path for path in (ROOT / ".github/ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")


def read(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


def test_conda_recipe():
    """The version and the requirements of the recipe are those of the package."""
    recipe = read("recipe/recipe.yaml")
    python = f">={recipe['context']['python_min']}"
    run = {name: bound for name, _, bound in (line.partition(" ") for line in recipe["requirements"]["run"])}

    assert recipe["context"]["name"] == PROJECT["name"]
    assert recipe["context"]["version"] == __version__
    assert python == PROJECT["requires-python"]
    assert run.pop("python") == ">=${{ python_min }}"
    assert run == dict(re.fullmatch(r"([\w-]+)(.*)", line).groups() for line in PROJECT["dependencies"])
    assert recipe["about"]["license"] == PROJECT["license"]
    assert recipe["about"]["summary"] == PROJECT["description"]
    assert (ROOT / recipe["about"]["license_file"]).is_file()


def test_citation():
    citation = read("CITATION.cff")
    assert citation["version"] == __version__
    assert citation["abstract"] == PROJECT["description"]
    assert citation["authors"] == PROJECT["authors"]
    assert citation["license"] == PROJECT["license"]


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms(path):
    """A form has a name, a description and fields with labels, each with an id of its own."""
    form = read(path)
    fields = [element for element in form["body"] if element["type"] != "markdown"]
    assert form["name"]
    assert form["description"]
    assert all(field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields) > 0


def test_security_policy_links():
    text = (ROOT / ".github/SECURITY.md").read_text(encoding="utf-8")
    assert all((ROOT / ".github" / target).is_file() for target in re.findall(r"\]\(([^)]+)\)", text))
