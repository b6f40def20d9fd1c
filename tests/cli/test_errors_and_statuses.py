"""Exit statuses, hints, and what is never printed."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import pytest
from command_files import PROGRAM, label, read_lines, write_lines
from hypothesis import given, strategies as st

from segments_async.cli import main
from segments_async.cli.lines import LineNumbers
from segments_async.sandbox import Sandbox


def test_done(command):
    assert command("whoami")[0] == 0
    assert command("--version")[1].startswith("segments-async ")


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["datasets", "lst"], 'Did you mean "list"'),
        (["datasets", "list", "--bogus"], "Unknown option: --bogus"),
        (["samples", "list"], "requires an argument"),
        (["samples", "create", "flowers", "--bogus"], "--bogus"),
        (["labels", "put", "nowhere.jsonl"], "cannot read nowhere.jsonl: No such file"),
        (["labels", "put", "."], "cannot read .: Is a directory"),
        (["samples", "upload", "flowers", "nowhere"], "no such file or folder: 'nowhere'"),
        (["samples", "upload", "flowers", "-", "nowhere"], "cannot be combined"),
        (["samples", "list", "flowers", "--limit", "-1"], "--limit"),
        (["samples", "delete", "flowers", "some-uuid"], "refused without a terminal"),
        (["datasets", "create", "flowers", "--metadata", "nonsense"], "--metadata: expected key=value"),
        (["demo", "nowhere"], "no such folder: nowhere"),
        (["demo", __file__], "not a folder, but a file"),
        (["completion", "tcsh"], "tcsh"),
        (["dataset", "--help"], 'Unknown command "dataset". Did you mean "datasets"?'),
        (["help", "nothing"], 'Unknown command "nothing"'),
        (["-q", "nothing", "-h"], 'Unknown command "nothing"'),
    ],
)
def test_usage(command, arguments, says):
    """A wrong usage is 2 and a line or two, and nothing is sent but a look at the user."""
    command.sandbox.clear_calls()
    status, _, errors = command(*arguments)
    assert status == 2
    assert says in errors
    assert len(errors.splitlines()) <= 2
    assert {call.path for call in command.sandbox.calls} <= {"/user"}


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ("labels export", "did you mean `segments-async releases export`?"),
        ("labels --quiet export flowers", "did you mean `segments-async releases export`?"),
        ("releases import", "did you mean `segments-async labels import`?"),
        ("datasets upload flowers images", "did you mean `segments-async samples upload`?"),
        ("upload flowers images", "did you mean `segments-async samples upload`?"),
        (
            "labels download",
            "did you mean `segments-async samples download` or `segments-async releases download`?",
        ),
        ("labels list", "see `segments-async labels --help`"),
        ("labels puut", "see `segments-async labels --help`"),
    ],
)
def test_a_command_of_another_group(command, arguments, meant):
    """It is named, rather than one of the same group that has a similar name; one of many groups is not."""
    status, _, errors = command(*arguments.split())
    problem, hint = errors.splitlines()
    assert (status, hint) == (2, f"hint: {meant}")
    assert ("Did you mean" in problem) == ("puut" in arguments)


def test_a_command_is_missing(command):
    """The help is shown, and the status is that of a wrong usage."""
    for arguments in ([], ["datasets"]):
        status, output, errors = command(*arguments)
        assert (status, "Usage: segments-async" in output + errors) == (2, True)
    assert command("datasets", "--help")[0] == 0


def test_some_failed(command, samples, tmp_path):
    labels = write_lines(tmp_path / "labels.jsonl", [label(samples["s0.png"]), label("no-such-sample")])
    status, _, errors = command("labels", "put", labels)
    assert (status, errors.splitlines()[-1]) == (1, "1 done, 1 failed")


def test_key_refused_or_missing(command, monkeypatch):
    monkeypatch.setenv("SEGMENTS_API_KEY", "wrong-key")
    status, _, errors = command("datasets", "list")
    assert (status, "the key of SEGMENTS_API_KEY was refused" in errors) == (4, True)
    monkeypatch.delenv("SEGMENTS_API_KEY")
    status, _, errors = command("datasets", "list")
    assert (status, "segments-async login" in errors) == (4, True)


def test_not_found(command, flowers):
    """A dataset that does not exist is looked for only then; other things are named by the service."""
    status, _, errors = command("samples", "list", "sandbox/flowrs")
    assert (status, errors) == (5, "error: no such dataset sandbox/flowrs; did you mean sandbox/flowers?\n")
    assert "did you mean sandbox/flowers?" in command("samples", "list", "sandbx/flowers")[2]
    status, _, errors = command("releases", "get", "flowers", "v1")
    assert (status, errors) == (5, "error: no such release v1; see `segments-async releases list sandbox/flowers`\n")
    status, _, errors = command("labelsets", "get", "flowers", "ground-trut")
    assert (status, errors) == (5, "error: no such labelset ground-trut; did you mean ground-truth?\n")
    assert command("samples", "create", "flowers", "/dev/null")[2] == "nothing to do\n"


def test_owner_not_found(command, flowers):
    for typed, hint in (("sandbx", "did you mean sandbox?"), ("nobodyx", "see `segments-async datasets list`")):
        status, output, errors = command("datasets", "list", typed)
        assert (status, output, errors) == (5, "", f"error: no such user or organization {typed}; {hint}\n")


def test_a_bulk_command_without_its_dataset(command, flowers, photos):
    status, _, errors = command("samples", "upload", "flowrs", photos)
    assert status == 5
    assert "did you mean sandbox/flowers?" in errors


def test_unreachable(command, monkeypatch):
    monkeypatch.setenv("SEGMENTS_API_URL", "http://127.0.0.1:9")
    status, _, errors = command("whoami")
    assert (status, "SEGMENTS_API_URL" in errors) == (69, True)


def test_a_proxy_is_unreachable(command, monkeypatch):
    """It is doubted instead of the address of the service, without its password."""
    monkeypatch.setenv("HTTP_PROXY", "http://user:secret@127.0.0.1:9")
    status, _, errors = command("whoami")
    assert (status, "the proxy of HTTP_PROXY" in errors, "secret" in errors) == (69, True, False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert command("whoami")[0] == 0
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
    monkeypatch.setenv("SEGMENTS_API_URL", "http://127.0.0.1:9")
    status, _, errors = command("whoami")
    assert (status, "proxy" in errors, "the right address" in errors) == (69, False, True), "ranges need none either"


def test_the_server_of_a_file_is_unreachable(command, flowers, tmp_path):
    """The address of the service is not doubted."""
    image = {"name": "a.png", "attributes": {"image": {"url": "http://127.0.0.1:9/a.png"}}}
    assert command("samples", "create", "flowers", write_lines(tmp_path / "samples.jsonl", [image]))[0] == 0
    status, _, errors = command("samples", "download", "flowers", tmp_path / "images")
    assert (status, "http://127.0.0.1:9/a.png" in errors, "SEGMENTS_API_URL" in errors) == (69, True, False)


@pytest.mark.parametrize(("status", "expected"), [(429, 75), (504, 75), (500, 69), (403, 4)])
def test_statuses_of_the_service(command, status, expected):
    command.sandbox.fail("GET", "/user", times=20, status=status, headers={"retry-after": "9999"})
    try:
        assert command("whoami")[0] == expected
    finally:
        command.sandbox.clear_faults()


def test_throttled_in_a_bulk_run(command, samples, tmp_path):
    """If that is why all items failed, the status says to try later; if some were sent, that some failed."""
    labels = write_lines(tmp_path / "labels.jsonl", [label(uuid) for uuid in samples.values()])
    throttled = {"times": 100, "status": 429, "headers": {"retry-after": "9999"}}
    for path, expected in [("/labels/*", 75), (f"/labels/{samples['s1.png']}/ground-truth/", 1)]:
        command.sandbox.fail("PUT", path, **throttled)
        status, _, errors = command("labels", "put", labels, "--concurrency", "1")
        command.sandbox.clear_faults()
        assert (status, "429" in errors, "Traceback" in errors) == (expected, True, False)


def test_samples_that_are_not_there_to_be_deleted(command, samples):
    """They are counted apart; the service only says how many it deleted."""
    first, second, third = samples.values()
    assert command("samples", "delete", "flowers", first, "--yes")[::2] == (0, "1 done\n")
    assert command("samples", "delete", "flowers", first, "--yes")[::2] == (5, "1 not found\n")
    assert command("samples", "delete", "flowers", first, second, "--yes")[::2] == (1, "1 done, 1 not found\n")
    path = "/datasets/sandbox/flowers/samples_bulk/"
    command.sandbox.fail("DELETE", path, drop="after")
    assert command("samples", "delete", "flowers", third, "--yes")[::2] == (0, "1 done\n")


def test_a_message_is_printed_once(command, samples, tmp_path):
    """That of an error that all items share ends the command; the failures then only say where."""
    labels = write_lines(tmp_path / "labels.jsonl", [label("x"), label("y")])
    for arguments in (
        ["labels", "put", labels],
        ["labels", "delete", "x", "y", "--yes"],
        ["labels", "delete", "x", "-y"],
    ):
        status, _, errors = command(*arguments)
        assert (status, errors.count("404 Not Found"), errors.count("error: 404")) == (5, 1, 1)
    status, _, errors = command("labels", "put", labels)
    assert errors.splitlines()[0] == "2 failed, such as line 1"


@pytest.mark.parametrize(
    "arguments",
    [
        "labels put -",
        "samples get -",
        "issues delete - --yes",
        "datasets create x --categories -",
        "releases summary -",
        "api POST /user/datasets/ --input -",
    ],
)
def test_standard_input_is_closed(command, flowers, arguments):
    """That is an error, as nothing can be read; input that is empty is not."""
    done = command.shell(f"segments-async {arguments} <&-")
    assert (done.returncode, done.stderr) == (2, "error: standard input is closed\n")


def test_failures_name_the_line(command, samples, tmp_path):
    """Also after empty lines, and whether the item was refused here or by the service."""
    good = json.dumps(label(samples["s0.png"]))
    lines = [good, "", "", '{"attributes": 1}', "", json.dumps(label("x")), good, "{bad"]
    (tmp_path / "labels.jsonl").write_text("\n".join(lines))
    failures = tmp_path / "failed.jsonl"
    status, output, errors = command("labels", "put", tmp_path / "labels.jsonl", "--failures", failures, "--json")
    assert status == 1
    assert "1 failed: line 4: sample_uuid: missing\n" in errors
    assert "1 failed: line 6: 404 Not Found on PUT " in errors
    assert "line 8: not JSON" in errors
    assert sorted(line["_failure"]["line"] for line in read_lines(failures)) == [4, 6, 7, 8]
    assert sorted(line["line"] for line in map(json.loads, output.splitlines()) if "error" in line) == [4, 6, 7, 8]


def test_too_many_failures(command, samples, tmp_path):
    """The run stops, says so and what was not read."""
    labels = write_lines(tmp_path / "labels.jsonl", [label(f"x{number}") for number in range(500)])
    status, _, errors = command("labels", "put", labels, "--max-failures", "2", "--concurrency", "1")
    assert (status, "stopped: more than 2 failed\n" in errors) == (5, True)
    assert "not read: anything after line " in errors
    assert "--checkpoint" in errors
    assert command("labels", "put", labels, "--max-failures", "-1")[0] == 2


def test_uploads_named_on_standard_input(command, flowers, photos):
    lines = [json.dumps({"file": str(photos / "p1.png")}), "", json.dumps({"file": str(photos / "p9.png")}), "3"]
    done = command.process("samples", "upload", "flowers", "-", text="\n".join(lines))
    assert done.returncode == 1
    assert "line 3: cannot be read" in done.stderr
    assert "line 4: expected an object" in done.stderr
    assert done.stderr.endswith("1 created, 2 failed\n")


@given(st.lists(st.booleans(), max_size=50))
def test_line_numbers(has_item):
    numbers = LineNumbers()
    expected = [number for number, item in enumerate(has_item, 1) if item]
    for number in expected:
        numbers.add(number)
    assert [numbers.of(index) for index in range(len(expected))] == expected


def test_the_collaborators_cannot_be_listed(command):
    """The service has no call for it; the command says what there is."""
    status, _, errors = command("collaborators", "list", "flowers")
    assert (status, "collaborators get flowers USER" in errors) == (2, True)


def test_a_checkpoint_of_another_service(command, samples, tmp_path, monkeypatch):
    checkpoint = tmp_path / "checkpoint"
    assert command("samples", "create", "flowers", tmp_path / "samples.jsonl", "--checkpoint", checkpoint)[0] == 0
    with Sandbox() as other:
        monkeypatch.setenv("SEGMENTS_API_URL", other.url)
        command("datasets", "create", "flowers")
        arguments = ["samples", "create", "flowers", tmp_path / "samples.jsonl", "--checkpoint", checkpoint]
        status, _, errors = command(*arguments)
    assert (status, "belongs to another run" in errors) == (2, True)


def test_no_traceback_but_with_debug(command, monkeypatch):
    """`--debug` shows it, without the key."""
    monkeypatch.setenv("SEGMENTS_API_KEY", "secret-wrong-key")
    assert "Traceback" not in command("whoami")[2]
    for arguments in (["whoami", "--debug"], ["whoami", "-vv"], ["-vv", "whoami", "--debug"]):
        errors = command(*arguments)[2]
        assert "secret-wrong-key" not in errors
    assert "Traceback" in errors
    assert "GET" in errors


def test_without_the_extra(monkeypatch, capsys):
    """The missing extra is named, also for the demo."""
    for name in [name for name in sys.modules if name.startswith("segments_async.cli.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "cyclopts", None)
    assert main(["demo"]) == 2
    assert 'pip install "segments-async[demo]"' in capsys.readouterr().err
    assert main(["datasets", "list"]) == 2
    assert 'pip install "segments-async[cli]"' in capsys.readouterr().err
    assert main(["--version"]) == 0


def test_help_needs_neither_the_library_nor_its_models():
    """Also of a resource: only when a command runs is the library imported."""
    for arguments in (["--help"], ["samples", "upload", "--help"]):
        source = f"""
import sys
from segments_async.cli import main
assert main({arguments!r}) == 0
heavy = {{"segments_async.models", "segments_async._client", "httpx", "anyio", "orjson"}} & set(sys.modules)
assert not heavy, heavy
"""
        subprocess.run([sys.executable, "-c", source], check=True, capture_output=True)


def test_login(command, monkeypatch, tmp_path):
    """The key is read from standard input, checked, and kept in a file that only its owner can read."""
    monkeypatch.delenv("SEGMENTS_API_KEY")
    refused = command.process("login", text="wrong-key\n")
    assert (refused.returncode, "wrong-key" in refused.stderr) == (4, False)
    accepted = command.process("login", text=f"{command.sandbox.api_key}\n")
    assert accepted.returncode == 0
    [file] = (tmp_path / "config").rglob("keys.json")
    assert file.stat().st_mode & 0o777 == 0o600
    assert str(file) in accepted.stderr
    assert command("whoami")[1] == "sandbox\n"
    assert command("whoami", "--quiet")[2] == ""

    monkeypatch.setenv("SEGMENTS_API_URL", "http://127.0.0.1:9")
    assert command("whoami")[0] == 4  # the key of one service is not sent to another
    monkeypatch.setenv("SEGMENTS_API_URL", command.sandbox.url)
    assert command("logout")[0] == 0
    assert command("whoami")[0] == 4


def test_a_key_that_cannot_be_kept(command, monkeypatch, tmp_path):
    """It is checked first; the hint says what to do without a home that can be written."""
    monkeypatch.delenv("SEGMENTS_API_KEY")
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "file"))
    done = command.process("login", text=f"{command.sandbox.api_key}\r\n")
    assert (done.returncode, "cannot be kept" in done.stderr, "set SEGMENTS_API_KEY" in done.stderr) == (1, True, True)


def test_login_with_a_keyring(command, monkeypatch, tmp_path):
    """The key is in the keyring alone; a keyring that cannot keep it is passed over."""
    keyring = pytest.importorskip("keyring")
    kept = {}

    class Memory(keyring.backend.KeyringBackend):
        priority = 1

        def get_password(self, service, username):
            return kept.get((service, username))

        def set_password(self, service, username, password):
            kept[service, username] = password

        def delete_password(self, service, username):
            del kept[service, username]

    class Locked(Memory):
        def set_password(self, service, username, password):
            raise RuntimeError(password)

    before = keyring.get_keyring()
    monkeypatch.delenv("SEGMENTS_API_KEY")
    try:
        for backend, place in [(Memory(), "the keyring"), (Locked(), "keys.json")]:
            keyring.set_keyring(backend)
            monkeypatch.setattr(sys, "stdin", io.StringIO(f"{command.sandbox.api_key}\n"))
            status, _, errors = command("login")
            assert (status, errors.strip().endswith(place), command.sandbox.api_key in errors) == (0, True, False)
            assert bool(list((tmp_path / "config").rglob("keys.json"))) == (place == "keys.json")
            assert place in command("whoami")[2]
            assert place in command("logout")[2]
            assert (kept, command("whoami")[0]) == ({}, 4)
    finally:
        keyring.set_keyring(before)


def test_help_costs_little_more_than_cyclopts():
    """In modules, which do not depend on the load of the machine: those of --version and cyclopts, and half more."""

    def modules(statement):
        source = f"import sys, io, contextlib\nwith contextlib.redirect_stdout(io.StringIO()):\n    {statement}\n"
        done = subprocess.run(
            [sys.executable, "-c", f"{source}print(len(sys.modules))"], check=True, capture_output=True, text=True
        )
        return int(done.stdout)

    main = "from segments_async.cli import main; main(['{}'])"
    allowed = 1.5 * (modules(main.format("--version") + "; import cyclopts, rich.console"))
    assert modules(main.format("--help")) <= allowed


def test_login_takes_no_key_as_an_argument(command):
    assert command.process("login", "some-key").returncode == 2


def test_the_module_is_the_command():
    assert subprocess.run([*PROGRAM, "--version"], check=True, capture_output=True).stdout.startswith(b"segments-async")
