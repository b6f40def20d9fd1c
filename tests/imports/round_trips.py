"""Export a dataset of the sandbox, import the export into another one, and export that."""

from __future__ import annotations

import json


async def exported(client, dataset, folder, kind, **options):
    """Make a release and export it; gives the report, and every file but images by its path."""
    await client.releases.create(dataset, "v1")
    release = await client.releases.wait(dataset, "v1", poll=0.01)
    report = await client.releases.export(release, folder, kind, **options)
    files = {
        path.relative_to(report.folder if report.folder in path.parents else folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(".")
    }
    return report, files


def without_names(content):
    """The JSON of an export without the name of its dataset."""
    found = json.loads(content)
    del found["info"]
    return found
