"""The real command in a process of its own: pipes, interrupts, and terminals of several widths."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import struct
import subprocess
import termios
import time
from pathlib import Path

import pyte
import pytest
from command_files import PROGRAM, label, read_lines


def test_a_pipeline(command, samples):
    """List, convert and set: standard input is JSON Lines, and so is standard output."""
    script = """
set -o pipefail
segments-async samples list flowers --json |
python3 -c '
import sys, json
for line in sys.stdin:
    print(json.dumps({"sample_uuid": json.loads(line)["uuid"], "attributes": {"annotations": []}}))
' | segments-async labels put - --json
"""
    done = command.shell(script)
    assert done.returncode == 0
    assert [json.loads(line)["status"] for line in done.stdout.splitlines()] == ["done"] * 3
    assert done.stderr == "3 done\n"


def test_uuids_on_standard_input(command, samples):
    """As text, as JSON strings, or in objects."""
    first, second, third = samples.values()
    text = f'{first}\n"{second}"\n{{"uuid": "{third}"}}\n'
    done = command.process("samples", "get", "-", "--json", text=text)
    assert [json.loads(line)["uuid"] for line in done.stdout.splitlines()] == [first, second, third]
    done = command.process("samples", "delete", "flowers", "-", "--yes", text=text)
    assert (done.returncode, done.stderr) == (0, "3 done\n")


def test_the_reader_leaves(command, tmp_path, flowers):
    """`| head` ends the command without a word, with the status that a signal SIGPIPE would have."""
    lines = [json.dumps({"name": f"{n}", "attributes": {"image": {"url": "https://x.org/a.png"}}}) for n in range(3000)]
    (tmp_path / "samples.jsonl").write_text("\n".join(lines))
    assert command("samples", "create", "flowers", tmp_path / "samples.jsonl")[0] == 0
    done = command.shell("segments-async samples list flowers --json | head -n 1; echo ${PIPESTATUS[0]}")
    assert len(done.stdout.splitlines()) == 2
    assert (done.stdout.splitlines()[-1], done.stderr) == ("141", "")


def test_bad_lines(command, samples, tmp_path):
    """Windows line ends, a byte order mark, empty lines, a line that is no JSON, huge numbers, half a character."""
    uuid = samples["s0.png"]
    good = json.dumps(label(uuid))
    lines = ["\ufeff" + good, "", "{bad", '"text"', '{"sample_uuid": "\\ud800", "attributes": {}}', "[1]"]
    lines.append(json.dumps({"sample_uuid": samples["s1.png"], "attributes": {"annotations": [], "n": 10**40}}))
    failures = tmp_path / "failed.jsonl"
    done = command.process("labels", "put", "-", "--failures", failures, text="\r\n".join(lines))
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "2 done, 4 failed"
    assert "line 3: not JSON" in done.stderr
    failed = [line["_failure"] for line in read_lines(failures)]
    assert [(failure["line"], failure["text"]) for failure in failed] == [
        (3, "{bad"),
        (4, '"text"'),
        (5, '{"sample_uuid": "\\ud800", "attributes": {}}'),
        (6, "[1]"),
    ]
    assert command.json("labels", "get", samples["s1.png"])[0]["attributes"]["n"] == 10**40


def test_an_array_is_no_json_lines(command):
    done = command.process("labels", "put", "-", text='[\n{"sample_uuid": "x"}\n]')
    assert (done.returncode, "jq -c '.[]'" in done.stderr) == (2, True)


def test_interrupted_and_continued(command, flowers, tmp_path):
    """SIGINT ends an upload with the counts and how to continue; the same command again does the rest."""
    folder = tmp_path / "many"
    folder.mkdir()
    for number in range(100):
        (folder / f"{number}.png").write_bytes(b"\x89PNG" + bytes([number % 256]))
    command.sandbox.latency = 0.02
    arguments = ["samples", "upload", "flowers", folder, "--checkpoint", tmp_path / "checkpoint", "--concurrency", "2"]
    failures = ["--failures", str(tmp_path / "failed.jsonl")]
    with subprocess.Popen(
        [*PROGRAM, *map(str, arguments), *failures], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        deadline = time.monotonic() + 30
        while len(command.sandbox.assets()) < 12 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
    command.sandbox.latency = 0
    assert process.returncode == 130
    *_, counts, hint = errors.splitlines()
    assert "unsent" in counts
    assert sum(int(part.split()[0]) for part in counts.split(", ")) == 100
    assert "run the same command again" in hint
    assert len(command.sandbox.assets()) < 100
    again = command.process(*arguments)
    assert again.returncode == 0
    assert len(command.json("samples", "list", "flowers")) == 100


def test_interrupted_while_it_waits_for_input(command, samples):
    """A pipe that nothing is written to does not block the command."""
    with subprocess.Popen(
        [*PROGRAM, "labels", "put", "-"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdin.write(json.dumps(label(samples["s0.png"])) + "\n")
        process.stdin.flush()
        deadline = time.monotonic() + 30
        while not any(call.method == "PUT" for call in command.sandbox.calls) and time.monotonic() < deadline:
            time.sleep(0.02)
        assert any(call.method == "PUT" for call in command.sandbox.calls)  # sent before the input ends
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
        assert process.returncode == 130
    assert "1 done\nnot read: anything after line 1 of the input\n" in errors


def test_missing_samples_name_their_line(command, samples):
    """The others are printed."""
    lines = ["nonsense", "", samples["s1.png"], '{"name": "s2.png"}']
    done = command.process("samples", "get", "-", "--json", text="\n".join(lines))
    assert (done.returncode, json.loads(done.stdout)["name"]) == (1, "s1.png")
    assert [line.partition(": ")[2][:7] for line in done.stderr.splitlines()] == ["line 1:", "line 4:"]
    assert command.process("samples", "get", "-", text="nonsense").returncode == 5
    done = command.process("samples", "get", "-", samples["s1.png"])
    assert (done.returncode, "cannot be combined" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    "words",
    [
        ["labels", "import", "flowers", "-"],
        ["api", "POST", "/user/datasets/", "--input", "-"],
        ["datasets", "update", "flowers", "--categories", "-"],
        ["releases", "summary", "-"],
    ],
    ids=lambda words: " ".join(words[:2]),
)
def test_interrupted_while_it_reads_a_whole_file(command, flowers, words):
    """The first Ctrl-C ends a command that waits for the rest of its input."""
    with subprocess.Popen([*PROGRAM, *words], stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdin.write(b" " * (1 << 20))  # more than a pipe holds: when all is written, it has begun to read
        process.stdin.flush()
        wait_until(lambda: waits_for_input(process))
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130


def waits_for_input(process):
    """Return whether a process has read all of its standard input that is there, and sleeps."""
    left = struct.unpack("i", fcntl.ioctl(process.stdin, termios.FIONREAD, b"\0" * 4))[0]
    state = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0]
    return left == 0 and state == "S"


def wait_until(condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def screen(arguments, *, width, answer="", **variables):
    """
    Run a command on a terminal of *width* columns; return its status and the lines of the screen.

    The *answer* is what is typed when it asks, or a signal that it is sent.
    """
    parent, child = pty.openpty()
    fcntl.ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    environment = os.environ | {"TERM": "xterm"} | variables
    with subprocess.Popen(
        [*PROGRAM, *map(str, arguments)],
        stdin=child,
        stdout=child,
        stderr=child,
        env=environment,
        start_new_session=True,
    ) as process:
        os.close(child)
        output = b""
        while piece := read(parent):
            output += piece
            if answer and output.rstrip().endswith((b"]", b":")):  # a question
                if isinstance(answer, signal.Signals):
                    process.send_signal(answer)
                else:
                    os.write(parent, answer.encode())
                answer = ""
        status = process.wait(30)
    os.close(parent)
    terminal = pyte.Screen(width, 200)
    pyte.ByteStream(terminal).feed(output)
    return status, [line.rstrip() for line in terminal.display if line.strip()], output


def read(descriptor):
    try:
        return os.read(descriptor, 65536)
    except OSError:  # Linux reports the end of a terminal so
        return b""


@pytest.mark.parametrize("width", [50, 120])
def test_a_table_is_as_wide_as_the_terminal(command, samples, width):
    status, lines, output = screen(["samples", "list", "flowers"], width=width)
    assert status == 0
    assert lines[0].split()[:2] == ["name", "uuid"]
    assert len(lines) == 4
    assert all(len(line) <= width for line in lines)
    assert (samples["s0.png"] in lines[1]) == (width == 120)
    assert b"\x1b[1m" in output


def test_no_colour(command, samples):
    """NO_COLOR and --quiet leave out colours and the progress."""
    for arguments, variables in [(["--quiet"], {}), ([], {"NO_COLOR": "1"})]:
        _, _, output = screen(["samples", "list", "flowers", *arguments], width=80, **variables)
        assert b"\x1b[3" not in output


def test_deletes_ask(command, flowers):
    status, lines, _ = screen(["datasets", "delete", "flowers"], width=80, answer="n\n")
    assert (status, any("[y/N]" in line for line in lines)) == (1, True)
    assert len(command.json("datasets", "list")) == 1
    assert screen(["datasets", "delete", "flowers"], width=80, answer="y\n")[0] == 0
    assert command.json("datasets", "list") == []


def test_the_key_is_not_echoed(command, monkeypatch):
    monkeypatch.delenv("SEGMENTS_API_KEY")
    status, _, output = screen(["login"], width=80, answer=f"{command.sandbox.api_key}\n")
    assert status == 0
    assert command.sandbox.api_key.encode() not in output


@pytest.mark.parametrize("words", [["login"], ["datasets", "delete", "flowers"]])
def test_interrupted_while_it_asks(command, flowers, words):
    """The first Ctrl-C ends a command that waits for an answer."""
    assert screen(words, width=80, answer=signal.SIGINT)[0] == 130
    assert len(command.json("datasets", "list")) == 1


def test_a_sandbox_for_a_shell(command):
    """`eval` sets the address and the key; the sandbox runs until it is killed."""
    script = 'eval "$(segments-async sandbox --env)"; segments-async whoami --json; kill $SEGMENTS_SANDBOX_PID'
    done = command.shell(script)
    assert (done.returncode, json.loads(done.stdout)["username"]) == (0, "sandbox"), done.stderr
