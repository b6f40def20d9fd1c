"""``segments-async datasets``."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Annotated, Any

from cyclopts import App, Parameter

from segments_async.cli.context import ContextArgument
from segments_async.cli.names import DatasetName
from segments_async.cli.options import Yes, command_app, confirm, given, pairs, read_text
from segments_async.cli.statuses import CommandError

app: App = command_app("datasets")

COLUMNS = {
    "dataset": "identifier",
    "task type": "task_type",
    "samples": "samples_count",
    "public": "public",
    "role": "role",
    "created": "created_at",
    "description": "description",
}

KEY_FIELDS = (
    "name",
    "full_name",
    "description",
    "task_type",
    "task_attributes",
    "category",
    "public",
    "metadata",
    "tags",
)
"""What is printed of a dataset that was created or changed; `get` prints all."""
_COLOURED = re.compile(r"(.*\S)\s+#([0-9a-fA-F]{6})")

Public = Annotated[bool | None, Parameter(negative="--private")]


@app.command(name=["list", "ls"])
async def list_(owner: str | None = None, /, *, context: ContextArgument) -> None:
    """
    List datasets.

    Args:
        owner: A user or an organisation; by default yourself.
    """
    async with context.client() as client:
        await context.printer.print_list(client.datasets.list(owner), COLUMNS)


@app.command
async def get(dataset: DatasetName, /, *, context: ContextArgument) -> None:
    """
    Show a dataset with its categories and labelsets.

    Args:
        dataset: owner/name, or the name of one of your own.
    """
    async with context.client(dataset) as client:
        context.printer.print_object(await client.datasets.get(context.dataset))


@app.command
async def create(
    name: str,
    /,
    *,
    task_type: str | None = None,
    categories: Path | None = None,
    description: str | None = None,
    category: str | None = None,
    public: bool = False,
    readme: Path | None = None,
    metadata: list[str] | None = None,
    tag: list[str] | None = None,
    exist_ok: bool = False,
    context: ContextArgument,
) -> None:
    """
    Create a dataset, private unless told otherwise.

    Args:
        name: Its name; organisation/name creates it for an organisation.
        task_type: What is labelled, such as bboxes, vector or segmentation-bitmap.
        categories: A file with a category a line, such as car or car #ff0000; or of JSON: a list, or all attributes.
        description: A short description.
        category: What it is about, such as agriculture or street_scenery.
        public: Whether everyone can see it.
        readme: A file in Markdown, for the overview tab.
        metadata: Your own metadata, as key=value; may be repeated.
        tag: A tag; may be repeated.
        exist_ok: Show the dataset if there is one of this name already.
    """
    settings = given(
        task_type=task_type,
        task_attributes=None if categories is None else task_attributes(categories),
        description=description,
        category=category,
        public=public,
        readme=None if readme is None else read_text(readme, "--readme"),
        metadata=pairs(metadata, "--metadata"),
        tags=tag,
    )
    owner, slash, own_name = name.rpartition("/")
    async with context.client() as client:
        organization = owner if slash and owner != (await client.users.me()).username else None
        created = await client.datasets.create(own_name, organization=organization, exist_ok=exist_ok, **settings)
        context.printer.print_object(created, KEY_FIELDS)


@app.command
async def update(
    dataset: DatasetName,
    /,
    *,
    name: str | None = None,
    task_type: str | None = None,
    categories: Path | None = None,
    description: str | None = None,
    category: str | None = None,
    public: Public = None,
    archived: Annotated[bool | None, Parameter(negative="--not-archived")] = None,
    readme: Path | None = None,
    metadata: list[str] | None = None,
    tag: list[str] | None = None,
    context: ContextArgument,
) -> None:
    """
    Change settings of a dataset; settings not named keep their value.

    Args:
        dataset: owner/name, or the name of one of your own.
        name: A new name, which changes its path.
        task_type: What is labelled.
        categories: As in create.
        description: A short description.
        category: What it is about.
        public: Whether everyone can see it.
        archived: Whether it is archived.
        readme: A file in Markdown, for the overview tab.
        metadata: Your own metadata, as key=value; replaces what there is.
        tag: A tag; replaces what there is.
    """
    changes = given(
        name=name,
        task_type=task_type,
        task_attributes=None if categories is None else task_attributes(categories),
        description=description,
        category=category,
        public=public,
        archived=archived,
        readme=None if readme is None else read_text(readme, "--readme"),
        metadata=pairs(metadata, "--metadata"),
        tags=tag,
    )
    if not changes:
        raise CommandError("nothing to change", hint="see `segments-async datasets update --help`")
    async with context.client(dataset) as client:
        changed = await client.datasets.update(context.dataset, **changes)
        context.printer.print_object(changed, (*KEY_FIELDS, *changes))


@app.command
async def clone(
    dataset: DatasetName,
    name: str | None = None,
    /,
    *,
    task_type: str | None = None,
    public: Public = None,
    organization: str | None = None,
    labels: bool = False,
    context: ContextArgument,
) -> None:
    """
    Copy a dataset with its samples.

    Args:
        dataset: owner/name, or the name of one of your own.
        name: The name of the copy; by default the original's with -clone.
        task_type: Its task type; by default the original's.
        public: Whether everyone can see it; by default as the original.
        organization: The organisation that will own it; by default yourself.
        labels: Copy the labels too.
    """
    async with context.client(dataset) as client:
        copy = await client.datasets.clone(
            context.dataset,
            name=name,
            task_type=task_type,
            public=public,
            organization=organization,
            clone_labels=labels,
        )
        context.printer.print_object(copy, KEY_FIELDS)


@app.command
async def delete(dataset: DatasetName, /, *, yes: Yes = False, context: ContextArgument) -> None:
    """
    Delete a dataset with all its samples, labels and releases.

    Args:
        dataset: owner/name, or the name of one of your own.
        yes: Do not ask.
    """
    confirm(f"Delete the dataset {dataset} with all its samples, labels and releases?", yes=yes)
    async with context.client(dataset) as client:
        await client.datasets.delete(context.dataset)
        context.printer.remark(f"deleted {context.dataset}")


def _category_of(line: str) -> str | dict[str, Any]:
    found = _COLOURED.fullmatch(line)
    return {"name": found[1], "color": list(bytes.fromhex(found[2]))} if found else line


def task_attributes(path: Path) -> Any:
    """
    Read categories: one name a line with or without a colour, a JSON list of names or objects, or all task attributes.

    Raises:
        CommandError: The file contains something else.
    """
    text = read_text(path, "--categories")
    if text.lstrip()[:1] in {"[", "{"}:
        try:
            value = json.loads(text)
        except ValueError as error:
            raise CommandError(f"--categories: {path} is not JSON: {error}") from error
    else:
        value = [_category_of(line.strip()) for line in text.splitlines() if line.strip()]
    if isinstance(value, dict):
        return value
    if not value:
        raise CommandError(f"--categories: {path} is empty")
    as_objects = [{"name": item} if isinstance(item, str) else item for item in value]
    numbered = [
        {"name": item["name"], "id": number, **item} if isinstance(item, dict) and "name" in item else item
        for number, item in enumerate(as_objects, 1)
    ]
    return {"format_version": "0.1", "categories": numbered}
