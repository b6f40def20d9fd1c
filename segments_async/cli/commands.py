"""
The names of the commands and the global options, with their help.

They are data alone, so that the help of the program needs no library for commands.
"""

from __future__ import annotations

PROGRAM = "segments-async"
SUMMARY = "Work with Segments.ai: upload, label, release, download and export."
USAGE = f"Usage: {PROGRAM} COMMAND [OPTIONS]"

COMMANDS = {
    "login": "Check an API key and keep it.",
    "logout": "Forget the API key.",
    "whoami": "Show whose API key is used.",
    "datasets": "List, create, change, copy and delete datasets.",
    "samples": "List, create, upload, download, change and delete samples.",
    "labels": "Get, set, import, change and delete labels.",
    "labelsets": "List, create and delete labelsets.",
    "issues": "List, create, change and delete issues.",
    "collaborators": "Add, change and remove the collaborators of a dataset.",
    "workunits": "List the time that people spent on samples.",
    "releases": "Create, download, export and delete releases.",
    "api": "Call any endpoint of the service.",
    "check": "Compare the real service with what this package assumes.",
    "sandbox": "Run the service in memory, for trying and testing.",
    "demo": "Upload, label, release and verify a dataset on a sandbox.",
    "completion": "Print the completion script for a shell.",
}
"""The commands, in the order of the list."""

JSON = "Print JSON Lines: one object a line."
QUIET = "Leave out progress, remarks and colours."
VERBOSE = "Show the log; -vv shows the requests too."
DEBUG = "Show the traceback of an error."
HELP = "Display this message and exit."
VERSION = "Display application version."

GLOBAL_OPTIONS = {
    "--json": JSON,
    "--quiet, -q": QUIET,
    "--verbose, -v": VERBOSE,
    "--debug": DEBUG,
    "--help, -h": HELP,
    "--version": VERSION,
}
