"""``segments-async completion``."""

from __future__ import annotations

import re
import sys
from typing import Literal

from cyclopts import App

from segments_async.cli.options import command_app
from segments_async.cli.streams import output

app: App = command_app("completion")

_ZSH_END = """
if [[ $funcstack[1] == _segments-async ]]; then
  {function} "$@"
elif (( $+functions[compdef] )); then
  compdef {function} segments-async
fi
"""
"""What the script of cyclopts lacks: a file of zsh must call its function, and eval must register it."""
_FISH_COMMAND = re.compile(r"^(complete -c \S+ -n (?:\w+|'[^']*')) (?=-a ')", re.MULTILINE)
"""Offers a command; without ``-f``, fish offers the files of the folder beside it."""


@app.default
def print_script(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """
    Print the completion script for a shell; it completes commands, options and the names of datasets.

    bash: eval "$(segments-async completion bash)", in ~/.bashrc. zsh: eval "$(segments-async completion zsh)", in
    ~/.zshrc after compinit. fish: segments-async completion fish > ~/.config/fish/completions/segments-async.fish.

    Args:
        shell: The shell.
    """
    from segments_async.cli.app import app as commands

    script = commands.generate_completion(shell=shell)
    if shell == "fish":
        script = _FISH_COMMAND.sub(r"\1 -f ", script)
    if shell == "zsh" and (found := re.search(r"^(\S+)\(\) \{", script, re.MULTILINE)):
        script += _ZSH_END.format(function=found[1])
    with output():
        sys.stdout.write(script)
