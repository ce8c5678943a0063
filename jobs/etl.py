"""Extract and transform locally in one go: `python jobs/etl.py --offline`. See `tickerlake run`."""

import sys

from tickerlake.cli import main

if __name__ == "__main__":
    main(["run", *sys.argv[1:]])
