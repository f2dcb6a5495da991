"""``python -m mlwidgets``: the command, of a Python whose scripts are on no path."""

import sys

from mlwidgets.cli import main

if __name__ == "__main__":
    sys.exit(main())
