"""``python -m pdebench`` is ``pdebench``."""

import sys

from pdebench.cli import main

if __name__ == "__main__":
    sys.exit(main())
