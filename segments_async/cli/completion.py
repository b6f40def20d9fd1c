"""``segments-async completion``."""

from __future__ import annotations

import sys
from typing import Literal

from cyclopts import App

app: App = App(name="completion", help="Print the completion script for a shell.")


@app.default
def print_script(shell: Literal["bash", "zsh", "fish"], /) -> None:
    """
    Print the completion script for a shell; it completes commands, options and the names of datasets.

    bash: eval "$(segments-async completion bash)", in ~/.bashrc. zsh: segments-async completion zsh >
    ~/.zfunc/_segments-async. fish: segments-async completion fish > ~/.config/fish/completions/segments-async.fish.

    Args:
        shell: The shell.
    """
    from segments_async.cli.app import app as commands

    sys.stdout.write(commands.generate_completion(shell=shell))
