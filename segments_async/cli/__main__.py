import sys

from segments_async.cli import main

sys.exit(main())
