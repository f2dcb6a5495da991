"""The file that git starts: ``python -I -S called.py WHAT …``, without site-packages, to be there at once."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    # Behind the standard library, and nothing of the folder that git works in.
    sys.path.append(__file__.rpartition("/mlwidgets/")[0])
    from mlwidgets.history.setup.calls import call

    sys.exit(call(sys.argv[1:]))
