"""``python -m segments_async``: the command line."""

import sys

from segments_async.cli import main

sys.exit(main())
