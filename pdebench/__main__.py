"""``python -m pdebench`` is ``pdebench``."""

import sys

from pdebench.cli import main

sys.exit(main())
