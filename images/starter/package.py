"""Write the starter's zip for AWS Lambda: `python images/starter/package.py dist/starter.zip`.

The same files always give the same bytes: times and order are fixed, and nothing is compressed,
since the result would depend on zlib's version. The starter's image holds the same files; a test
compares the two lists.
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
        entry = ZipInfo(name)  # dated 1980-01-01
        entry.create_system = 3  # Unix, on every machine
        entry.external_attr = READABLE << 16
        archive.writestr(entry, (JOBS / name).read_bytes())
