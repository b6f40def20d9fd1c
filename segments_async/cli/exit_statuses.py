"""The exit statuses of commands; docs/cli.md explains them."""

DONE = 0
FAILED = 1
USAGE = 2
KEY_REFUSED = 4
NOT_FOUND = 5
UNREACHABLE = 69
TRY_LATER = 75
INTERRUPTED = 130
BROKEN_PIPE = 141
"""As if the signal SIGPIPE had ended the process: the reader of a pipe, such as ``head``, has left."""
