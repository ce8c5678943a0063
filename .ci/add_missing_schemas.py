"""Give a stub provider the resource types that it lacks, from the schema of the real one.

The stub's saved schema holds the types that most projects use. A type that only we use would end
its run with "Invalid resource type"; the real provider's schema of it is taken instead.

Usage: add_missing_schemas.py STUB_SCHEMA REAL_SCHEMA
(both in the form of `terraform providers schema -json`; STUB_SCHEMA is rewritten)
"""

import json
import re
import sys
from pathlib import Path

stub_file, real_file = map(Path, sys.argv[1:])
stub = json.loads(stub_file.read_text())
[held] = stub["provider_schemas"].values()
real = json.loads(real_file.read_text())["provider_schemas"]
[found] = (each for name, each in real.items() if name.endswith("hashicorp/aws"))

used = set()
for file in Path("infra").rglob("*.tf"):
    used |= set(re.findall(r'^resource "(aws_\w+)"', file.read_text(), re.MULTILINE))
for name in sorted(used - held["resource_schemas"].keys()):
    held["resource_schemas"][name] = found["resource_schemas"][name]
    sys.stdout.write(f"{name}: the schema of the current version\n")
stub_file.write_text(json.dumps(stub))
