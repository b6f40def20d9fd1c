"""Each command, run in this process against the sandbox."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_files import label, read_lines, write_lines

from segments_async.cli.datasets import KEY_FIELDS


def test_datasets(command, flowers, tmp_path):
    [created] = command.json("datasets", "get", "flowers")
    assert created["task_attributes"]["categories"][1] == {"name": "tulip", "id": 2}
    assert not created["public"]

    assert [row["name"] for row in command.json("datasets", "ls")] == ["flowers"]
    [changed] = command.json("datasets", "update", "sandbox/flowers", "--description", "Roses.", "--public")
    assert (changed["description"], changed["public"]) == ("Roses.", True)
    [copy] = command.json("datasets", "clone", "flowers", "copy", "--private")
    assert (copy["full_name"], copy["public"]) == ("sandbox/copy", False)
    assert command("datasets", "update", "flowers")[0] == 2

    assert command("datasets", "delete", "copy", "--yes")[0] == 0
    assert command("datasets", "list")[1].startswith("sandbox/flowers\tbboxes\t0\tyes\tadmin\t")
    assert command("datasets", "delete", "flowers")[0] == 2  # there is no terminal to ask on
    assert len(command.json("datasets", "list")) == 1


def test_a_dataset_of_an_organisation(command):
    [created] = command.json("datasets", "create", "acme/fruit")
    assert created["full_name"] == "acme/fruit"
    assert [row["name"] for row in command.json("datasets", "list", "acme")] == ["fruit"]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("rose\ntulip\n", ["rose", "tulip"]),
        ('\ufeff["rose"]', ["rose"]),
        ('[{"name": "rose", "id": 7}]', ["rose"]),
        ('{"format_version": "0.1", "categories": [{"name": "rose", "id": 7}]}', ["rose"]),
    ],
)
def test_categories(command, tmp_path, text, names):
    """One a line, as JSON, or whole task attributes."""
    (tmp_path / "categories").write_text(text, encoding="utf-8")
    [created] = command.json("datasets", "create", "flowers", "--categories", tmp_path / "categories")
    assert [category["name"] for category in created["task_attributes"]["categories"]] == names


def test_colours_of_categories(command, tmp_path):
    """A line may end with a colour; of a new dataset, the main settings are printed, one a line."""
    (tmp_path / "categories").write_text("red rose #C81e3c\ntulip #1\n#ffffff\n")
    status, printed, _ = command("datasets", "create", "flowers", "--categories", tmp_path / "categories")

    assert status == 0
    lines = dict(line.split("\t") for line in printed.splitlines())
    assert set(lines) <= set(KEY_FIELDS)
    assert (lines["full_name"], lines["public"]) == ("sandbox/flowers", "no")
    assert json.loads(lines["task_attributes"])["categories"] == [
        {"name": "red rose", "id": 1, "color": [200, 30, 60]},
        {"name": "tulip #1", "id": 2},
        {"name": "#ffffff", "id": 3},
    ]


@pytest.mark.parametrize("text", ["", "[nonsense"])
def test_categories_that_are_none(command, tmp_path, text):
    (tmp_path / "categories").write_text(text)
    status, _, errors = command("datasets", "create", "flowers", "--categories", tmp_path / "categories")
    assert (status, "--categories" in errors) == (2, True)


def test_samples(command, samples, tmp_path):
    """List, filter, get, change and delete."""
    assert [row["name"] for row in command.json("samples", "list", "flowers", "--limit", "2")] == ["s0.png", "s1.png"]
    assert [row["name"] for row in command.json("samples", "ls", "flowers", "--name", "s2")] == ["s2.png"]
    changes = write_lines(
        tmp_path / "changes.jsonl", [{"uuid": samples["s1.png"], "priority": 5, "metadata": {"a": 3}}]
    )
    assert command.json("samples", "update", changes)[0]["status"] == "updated"
    assert [row["name"] for row in command.json("samples", "list", "flowers", "--metadata", "a:>2")] == ["s1.png"]
    assert command.json("samples", "get", samples["s1.png"])[0]["priority"] == 5
    status, _, errors = command("samples", "delete", "flowers", samples["s0.png"], samples["s1.png"], "--yes")
    assert (status, errors) == (0, "2 done\n")
    assert command("samples", "list", "flowers")[1].startswith(f"s2.png\t{samples['s2.png']}\t")


def test_statuses_are_taken_in_any_case(command, samples, tmp_path):
    labels = write_lines(tmp_path / "labels.jsonl", [label(samples["s1.png"]) | {"label_status": "reviewed"}])
    assert command("labels", "put", labels)[0] == 0
    listed = command.json("samples", "list", "flowers", "--label-status", "Reviewed", "--labelset", "ground-truth")
    assert [row["name"] for row in listed] == ["s1.png"]
    status, _, errors = command("samples", "list", "flowers", "--status", "labelled")
    assert (status, errors) == (2, "error: --label-status: 'LABELLED' is not a label status; did you mean 'LABELED'?\n")


def test_labels(command, samples, tmp_path):
    """Set, get, change and delete; with the dataset, unknown categories are refused."""
    good, bad = label(samples["s0.png"]), label(samples["s1.png"], category=9)
    labels = write_lines(tmp_path / "labels.jsonl", [good, bad])
    status, _, errors = command(
        "labels", "put", labels, "--dataset", "flowers", "--failures", tmp_path / "failed.jsonl"
    )
    assert status == 1
    assert errors.endswith("1 done, 1 failed\n")
    [failed] = read_lines(tmp_path / "failed.jsonl")
    assert failed["sample_uuid"] == samples["s1.png"]
    assert "category_id" in failed["_failure"]["error"]

    [stored] = command.json("labels", "get", samples["s0.png"])
    assert stored["attributes"] == good["attributes"]
    command.sandbox.clear_calls()
    status, output, errors = command("labels", "get", samples["s0.png"], "--dry-run")
    assert (status, output, command.sandbox.calls) == (0, "", ()), errors
    assert command("labels", "get", samples["s1.png"], "--failures", tmp_path / "missing.jsonl")[0] == 0
    assert (tmp_path / "missing.jsonl").exists(), "options of bulk commands count for one label too"
    changes = write_lines(tmp_path / "c.jsonl", [{"sample_uuid": samples["s0.png"], "label_status": "reviewed"}])
    assert command("labels", "update", changes)[0] == 0
    assert command.json("labels", "get", *samples.values())[0]["label_status"] == "REVIEWED"
    assert command("labels", "delete", samples["s0.png"], "-y")[0] == 0
    assert command("labels", "get", samples["s0.png"])[0] == 5


def test_failures_can_be_fed_back(command, samples, tmp_path):
    """Their file is an input: what describes the failure is dropped."""
    labels = write_lines(tmp_path / "labels.jsonl", [label(samples["s0.png"]), label(samples["s1.png"])])
    command.sandbox.fail("PUT", f"/labels/{samples['s1.png']}/ground-truth/", times=1, status=400)
    failures = tmp_path / "failed.jsonl"
    assert command("labels", "put", labels, "--failures", failures)[0] == 1
    assert command("labels", "put", failures, "--failures", failures)[0] == 2  # it would overwrite its input
    status, _, errors = command("labels", "put", failures, "--failures", tmp_path / "again.jsonl")
    assert (status, errors) == (0, "1 done\n")
    assert (tmp_path / "again.jsonl").read_bytes() == b""


def test_upload_and_download(command, flowers, photos, tmp_path):
    """A folder with brackets in its name; what would be sent; files that are there already."""
    (photos / ".hidden.png").write_bytes(b"x")
    status, _, errors = command("samples", "upload", "flowers", photos, "--dry-run")
    assert (status, errors) == (0, "4 would be sent; nothing was sent\n")
    assert command.json("samples", "list", "flowers") == []

    uploaded = command.json("samples", "upload", "flowers", photos, "--checkpoint", tmp_path / "checkpoint")
    assert [line["key"] for line in uploaded] == ["p1.png", "p2.png", "p3.png", "p10.png"]
    status, _, errors = command("samples", "upload", "flowers", photos, "--checkpoint", tmp_path / "checkpoint")
    assert (status, errors) == (0, "4 skipped\n")
    assert command("samples", "upload", "flowers", photos / "p1.png", "--if-exists", "error")[0] == 1

    assert command("samples", "download", "flowers", tmp_path / "images")[2] == "4 created\n"
    assert command("samples", "download", "flowers", tmp_path / "images")[2] == "4 existing\n"
    assert len(list((tmp_path / "images").glob("p*.png"))) == 4


def test_full_names(command, flowers, photos):
    """Files of one name in several folders are several samples."""
    (photos / "more").mkdir()
    (photos / "p1.png").rename(photos / "more" / "p2.png")
    status, _, errors = command("samples", "upload", "flowers", photos)
    assert (status, "appears more than once" in errors) == (1, True)
    assert command("samples", "upload", "flowers", photos, "--full-names")[0] == 0
    assert "more/p2.png" in [row["name"] for row in command.json("samples", "list", "flowers")]


def test_labelsets(command, flowers):
    command.json("labelsets", "create", "flowers", "model", "--description", "Boxes.")
    assert [row["name"] for row in command.json("labelsets", "list", "flowers")] == ["ground-truth", "model"]
    assert command.json("labelsets", "get", "flowers", "model")[0]["description"] == "Boxes."
    assert command("labelsets", "delete", "flowers", "model", "--yes")[0] == 0
    assert command("labelsets", "get", "flowers", "model")[0] == 5


def test_issues(command, samples):
    [issue] = command.json("issues", "create", samples["s0.png"], "Too large.", "--tag", "box")
    assert command.json("issues", "update", issue["uuid"], "--status", "closed")[0]["status"] == "CLOSED"
    assert command.json("issues", "list", "flowers", "--status", "open") == []
    assert command.json("issues", "list", "flowers")[0]["description"] == "Too large."
    assert command("issues", "list", "flowers", "--status", "opne")[0] == 2
    assert command("issues", "delete", issue["uuid"], "--yes")[0] == 0
    assert command("issues", "delete", issue["uuid"], "--yes")[0] == 5


def test_issues_on_standard_input(command, samples):
    """Their uuids come from the command before; one that does not exist is named by its line."""
    script = """
segments-async samples list flowers --json |
segments-async issues create - "Too dark." --json |
segments-async issues update - --status closed --json
"""
    done = command.shell(script)
    issues = [json.loads(line) for line in done.stdout.splitlines()]
    assert {issue["sample_uuid"] for issue in issues} == set(samples.values()), done.stderr
    assert {(issue["status"], issue["description"]) for issue in issues} == {("CLOSED", "Too dark.")}
    text = "".join(f"{uuid}\n" for uuid in (issues[0]["uuid"], "nonsense", issues[1]["uuid"]))
    done = command.process("issues", "delete", "-", "--yes", text=text)
    assert (done.returncode, "error: line 2: 404" in done.stderr) == (1, True)
    assert [row["uuid"] for row in command.json("issues", "list", "flowers")] == [issues[2]["uuid"]]


def test_collaborators(command, flowers):
    assert command.json("collaborators", "add", "flowers", "joe", "--role", "Reviewer")[0]["role"] == "reviewer"
    assert command.json("collaborators", "update", "flowers", "joe", "--role", "viewer")[0]["role"] == "viewer"
    assert command.json("collaborators", "get", "flowers", "joe")[0]["role"] == "viewer"
    assert command("collaborators", "remove", "flowers", "joe", "--yes")[0] == 0
    assert command("collaborators", "get", "flowers", "joe")[0] == 5


def test_workunits(command, samples):
    command.sandbox.add_workunit(samples["s0.png"])
    assert command.json("workunits", "ls", "flowers")[0]["sample_name"] == "s0.png"
    assert command.json("workunits", "list", "flowers", "--end", "2001-01-01") == []


def test_releases(command, samples, tmp_path, monkeypatch):
    """Create, wait, show, download, summarize, export, delete."""
    labels = write_lines(tmp_path / "labels.jsonl", [label(samples["s0.png"])])
    command("labels", "put", labels)
    assert command.json("releases", "create", "flowers", "v1", "--wait")[0]["status"] == "SUCCEEDED"
    assert [row["name"] for row in command.json("releases", "list", "flowers")] == ["v1"]
    assert command.json("releases", "get", "flowers", "v1")[0]["name"] == "v1"
    monkeypatch.chdir(tmp_path)
    assert command.json("releases", "download", "flowers", "v1") == [{"file": "flowers-v1.json"}]
    [counted] = command.json("releases", "summary", "flowers-v1.json")
    assert counted["labelsets"]["ground-truth"]["categories"] == {"rose": 1}
    assert command.json("releases", "summary", "flowers", "v1") == [counted]
    assert "ground-truth\tcategory rose\t1\n" in command("releases", "summary", "flowers-v1.json")[1]
    assert command("releases", "delete", "flowers", "v1", "--yes")[0] == 0
    assert command("releases", "get", "flowers", "v1")[0] == 5


def test_export_of_a_release(command, flowers, photos, tmp_path):
    """By the name of the dataset and the release; and of a file, without a key."""
    uuids = {line["key"]: line["uuid"] for line in command.json("samples", "upload", "flowers", photos)}
    command("labels", "put", write_lines(tmp_path / "labels.jsonl", [label(uuids["p1.png"])]))
    command("releases", "create", "flowers", "v1", "--wait")
    status, output, _ = command("releases", "export", "flowers", "v1", tmp_path / "out", "yolo")
    assert (status, output.startswith("1 exported to ")) == (0, True)
    [report] = command.json("releases", "export", "flowers", tmp_path / "coco", "coco-instance", "--name", "v1")
    assert json.loads(Path(report["file"]).read_text())["annotations"]


def test_api(command, flowers):
    """Parameters, bodies, and all pages of a list."""
    assert command.json("api", "GET", "/user")[0]["username"] == "sandbox"
    [changed] = command.json("api", "PATCH", "/datasets/sandbox/flowers/", "-f", "description=Roses.")
    assert changed["description"] == "Roses."
    rows = command.json("api", "GET", "user/datasets/", "--paginate", "-f", "per_page=1")
    assert [row["name"] for row in rows] == ["flowers"]
    assert command("api", "GET", "/nowhere/")[0] == 5
    assert command("api", "FETCH", "/user")[0] == 2
    assert command.json("api", "GET", f"{command.sandbox.url}/user/")[0]["username"] == "sandbox"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["/user", "-f", "nonsense"], "expected key=value"),
        (["/user", "-f", "a=1", "-f", "a=2"], "a is given twice"),
        (["/user", "-f", "a=1", "-F", "a=2"], "a is a --field already"),
        (["/user/datasets/", "-f", "page=x", "--paginate"], "expected the number of a page, got 'x'"),
        (["/user/datasets/?page=x", "--paginate"], "expected the number of a page, got 'x'"),
        (["/user/datasets/?page=2", "-f", "page=1", "--paginate"], "page is given twice"),
        (["/user", "-F", "a=@nowhere"], "a: cannot read nowhere: No such file"),
        (["/user", "-F", "a=@-", "-F", "b=@-"], "can be read once only"),
        (["/user", "-F", "a=@-", "--input", "-"], "can be read once only"),
        (["https://example.org/user"], "expected a path, or a URL that starts with http://127.0.0.1"),
    ],
)
def test_api_refuses(command, arguments, says):
    """Before anything is sent."""
    command.sandbox.clear_calls()
    status, _, errors = command("api", "GET", *arguments)
    assert (status, says in errors, len(errors.splitlines()), command.sandbox.calls) == (2, True, 1, ())


def test_api_starts_at_the_page_of_the_path(command, samples):
    """As a field can name it; other parameters of the path are sent as they are."""
    path = "/datasets/sandbox/flowers/samples/?page=2&sort=name&per_page=1"
    assert [row["name"] for row in command.json("api", "GET", path, "--paginate")] == ["s1.png", "s2.png"]
    assert [call.query.count("per_page=1") for call in command.sandbox.calls if "sort" in call.query] == [1, 1, 1]
    assert [row["name"] for row in command.json("api", "GET", path)] == ["s1.png"]


def test_api_reads_fields_from_files(command, flowers, tmp_path):
    """JSON objects and lists as such, other files as text; only with -F, as a text may begin with @."""
    (tmp_path / "readme.md").write_text("[Flowers](x)\n")
    (tmp_path / "metadata.json").write_text('{"a": 1}')
    files = [f"readme=@{tmp_path / 'readme.md'}", f"metadata=@{tmp_path / 'metadata.json'}"]
    arguments = ["api", "PATCH", "/datasets/sandbox/flowers/", "-f", "description=@jane"]
    [changed] = command.json(*arguments, "-F", files[0], "-F", files[1])
    assert (changed["readme"], changed["metadata"]) == ("[Flowers](x)\n", {"a": 1})
    assert changed["description"] == "@jane"
    done = command.process(*arguments, "-F", "readme=@-", text="2026")
    assert json.loads(done.stdout)["readme"] == "2026"


def test_help_is_the_same_after_a_command(command):
    """Also of commands without subcommands, whose parameters cyclopts moves in what `generate_docs` writes."""
    helps = [command(name, "--help")[1] for name in ("api", "check")]
    assert command("api", "GET", "/user")[0] == 0
    assert command("check", "--bogus")[0] == 2
    assert [command(name, "--help")[1] for name in ("api", "check")] == helps
    assert "--paginate" in helps[0]


def test_completion(command, flowers):
    """Scripts for three shells; names of datasets, from a cache."""
    for shell in ("bash", "zsh", "fish"):
        assert "segments-async" in command("completion", shell)[1]
    status, output, _ = command("__complete", "datasets", "get", "fl")
    assert (status, "flowers" in output.splitlines()) == (0, True)
    calls = len(command.sandbox.calls)
    assert "sandbox/flowers" in command("__complete", "samples", "list", "sandbox/")[1].splitlines()
    assert len(command.sandbox.calls) == calls


def test_words_that_begin_with_a_dash(command, samples):
    """They are values where they cannot be options; only a file or a uuid that is - means standard input."""
    uuid = samples["s0.png"]
    for text in ("- a box is missing", "-", "-5 deg", "-5deg", "-5"):
        assert command.json("issues", "create", uuid, text)[0]["description"] == text
        assert command.json("datasets", "update", "flowers", "--description", text)[0]["description"] == text
    _, output, _ = command("issues", "create", "--json", "--tag", "- x", uuid, "--", "--tilted")
    assert (json.loads(output)["description"], json.loads(output)["tags"]) == ("--tilted", ["- x"])
    status, _, errors = command("datasets", "update", "flowers", "--description", "-tilted")
    assert (status, errors.splitlines()[1]) == (2, "hint: if -tilted is the value, write --description=-tilted")
    status, _, errors = command("issues", "create", uuid, "-tilted")
    assert (status, errors.splitlines()[1].partition(" words")[0]) == (2, "hint: write -- before")
    status, _, errors = command("samples", "list", "flowers", "--sort", "- x")
    assert (status, '"- x"' in errors) == (2, True)


def test_files_that_are_standard_input_or_output(command, flowers, tmp_path):
    made = command.process("datasets", "create", "fruit", "--categories", "-", "--json", text="apple\npear\n")
    assert [c["name"] for c in json.loads(made.stdout)["task_attributes"]["categories"]] == ["apple", "pear"]
    command("releases", "create", "flowers", "v1", "--wait")
    release = command.process("releases", "download", "flowers", "v1", "-").stdout
    assert json.loads(release)["name"] == "v1"
    counted = command.process("releases", "summary", "-", "--json", text=release)
    assert (counted.returncode, json.loads(counted.stdout)["samples"]) == (0, 0), counted.stderr
    empty = command.shell("segments-async labels put - </dev/null; segments-async datasets list >&-")
    assert (empty.returncode, empty.stderr) == (0, "nothing to do\n")
    for option in ("--failures", "--checkpoint"):
        assert command("samples", "upload", "flowers", tmp_path, option, "-")[0] == 2
