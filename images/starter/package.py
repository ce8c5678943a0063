"""Make the starter's zip for AWS Lambda: `python images/starter/package.py dist/starter.zip`.

The same files give the same bytes: fixed times, fixed order, no compression (whose result depends
on zlib's version). What is in it is what the image of the starter holds.
"""

import sys
from pathlib import Path
from zipfile import ZipFile, ZipInfo

JOBS = Path(__file__).parents[2] / "jobs"
FILES = (
    "glue_starter_lambda_function.py",
    "tickerlake/__init__.py",
    "tickerlake/errors.py",
    "tickerlake/aws/__init__.py",
    "tickerlake/aws/starter.py",
)
READABLE = 0o644

with ZipFile(sys.argv[1], "w") as archive:
    for name in FILES:
        entry = ZipInfo(name)  # of 1980-01-01
        entry.create_system = 3  # Unix, on which machine whatsoever
        entry.external_attr = READABLE << 16
        archive.writestr(entry, (JOBS / name).read_bytes())
