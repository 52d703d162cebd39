"""`python -m reproc`."""

import sys

from reproc.cli import main

sys.exit(main())
