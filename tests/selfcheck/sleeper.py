"""A check that never comes to its end: says its process id and sleeps."""

import os
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    mark = Path(sys.argv[1]).with_suffix(".asleep")
    draft = mark.with_suffix(".draft")
    draft.write_text(str(os.getpid()))
    draft.rename(mark)
    time.sleep(600)
