"""The Glue Data Catalog: the partitions and columns of the tables, and the views.

Terraform creates the database and its tables (`infra/modules/catalog`). This module keeps their
contents up to date: a transform registers the partitions that its manifests deliver; `sync` makes
the catalog match the lake, whatever has happened. Both write the views that are not as declared.
Other runs may call Glue at the same time, so it is fine if a partition already exists, or is
already gone.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tickerlake.aws.glue_views import put_views
from tickerlake.errors import CatalogError, UsageError
from tickerlake.lake import Lake, layout
from tickerlake.lake.tables import TABLES, Table, comment, sql_type

log = logging.getLogger(__name__)

BATCH: Final = 100
"""The most partitions that Glue accepts per call."""

_CALLS: Final = 4
"""How many calls run at the same time."""

_RETRIES: Final = Config(retries={"mode": "standard", "total_max_attempts": 8})

_Values = tuple[str, ...]
_Answer = dict[str, Any]


@dataclass(frozen=True)
class Synced:
    """How many partitions a sync registered, updated and removed, and how many views it wrote."""

    registered: int = 0
    updated: int = 0
    removed: int = 0
    views: int = 0


class Catalog:
    """The tables of a lake in a database of the Glue Data Catalog.

    Every method raises `CatalogError` when Glue refuses or can't be reached, or when the database
    or a table is missing, and `UsageError` when the tables are those of another lake.
    """

    def __init__(self, lake: Lake, database: str) -> None:
        """Take the lake and the database's name; Glue is not called yet.

        Raises:
            UsageError: the lake is not on S3.
        """
        if not lake.store.url.startswith("s3://"):
            raise UsageError(
                f"--catalog {database} needs a lake on S3: the Data Catalog can't point to"
                f" {lake.store.url}"
            )
        self.lake = lake
        self.database = database
        self._url = lake.store.url.rstrip("/")
        with self._failures():
            self._glue = boto3.client("glue", config=_RETRIES)

    def register(self, keys: Iterable[str]) -> None:
        """Register the partitions that keys belong to; update their tables' columns, and the views.

        Args:
            keys: keys of tables; their partitions may already be registered.
        """
        found = list(keys)
        if not found:
            return
        with self._failures():
            for name, table in TABLES.items():
                of_table = [key for key in found if key.startswith(table.prefix)]
                if wanted := _partitions(table, of_table):
                    count = self._create(name, wanted, self._descriptor(name, table))
                    log.info("%s.%s: %s new partitions", self.database, name, count)
            put_views(self._glue, self.database)

    def sync(self) -> Synced:
        """Make partitions, columns and views match the lake.

        Other runs may register partitions at the same time. Another sync is only needed if data
        that was gone is written again while this one is running.
        """
        registered = updated = removed = 0
        with self._failures():
            for name, table in TABLES.items():
                descriptor = self._descriptor(name, table)
                # List partitions before keys: data is written before its partition is registered,
                # so a partition registered in between is never mistaken for one without data.
                held = self._held(name, descriptor["Columns"])
                wanted = _partitions(table, self.lake.store.keys(table.prefix))
                new = {values: wanted[values] for values in wanted.keys() - held.keys()}
                stale = {
                    values: wanted[values]
                    for values in wanted.keys() & held.keys()
                    if held[values] != self._location(wanted[values])
                }
                registered += self._create(name, new, descriptor)
                updated += self._update(name, stale, descriptor)
                removed += self._delete(name, held.keys() - wanted.keys())
            views = put_views(self._glue, self.database)
        return Synced(registered, updated, removed, views)

    def _descriptor(self, name: str, declared: Table) -> _Answer:
        """Update a table's columns; return its partitions' storage descriptor, less location."""
        columns = [
            {"Name": column, "Type": sql_type(dtype), "Comment": comment(column)}
            for column, dtype in declared.schema.items()
        ]
        table = self._glue.get_table(DatabaseName=self.database, Name=name)["Table"]
        descriptor = table["StorageDescriptor"]
        if descriptor["Location"].rstrip("/") != self._location(declared.prefix).rstrip("/"):
            raise UsageError(
                f"table {name} of database {self.database} is at {descriptor['Location']}, not in"
                f" the lake {self._url}: give --catalog the lake's own database"
            )
        held = [{key: each.get(key, "") for key in columns[0]} for each in descriptor["Columns"]]
        if held != columns:
            descriptor["Columns"] = columns
            # Glue returns more fields than it accepts, and it accepts no empty text
            members = self._glue.meta.service_model.shape_for("TableInput").members
            settings = {
                key: value for key, value in table.items() if key in members and value != ""
            }
            # several runs of a new version may do this at the same time
            with suppress(self._glue.exceptions.ConcurrentModificationException):
                self._glue.update_table(DatabaseName=self.database, TableInput=settings)
            log.info("%s.%s: columns updated", self.database, name)
        # every partition repeats the columns; nobody reads the comments there
        return {**descriptor, "Columns": [_bare(column) for column in columns]}

    def _location(self, folder: str) -> str:
        return f"{self._url}/{folder}"

    def _held(self, name: str, columns: Sequence[_Answer]) -> dict[_Values, str]:
        """Return the locations of a table's partitions; '' where the columns differ."""
        pages = self._glue.get_paginator("get_partitions").paginate(
            DatabaseName=self.database, TableName=name
        )
        held = {}
        for page in pages:
            for partition in page["Partitions"]:
                descriptor = partition["StorageDescriptor"]
                same = [_bare(column) for column in descriptor["Columns"]] == columns
                held[tuple(partition["Values"])] = descriptor["Location"] if same else ""
        return held

    def _create(self, name: str, wanted: dict[_Values, str], descriptor: _Answer) -> int:
        def create(inputs: list[_Answer]) -> Any:
            return self._glue.batch_create_partition(
                DatabaseName=self.database, TableName=name, PartitionInputList=inputs
            )

        return self._put(create, name, wanted, descriptor)

    def _update(self, name: str, wanted: dict[_Values, str], descriptor: _Answer) -> int:
        def update(inputs: list[_Answer]) -> Any:
            entries = [
                {"PartitionValueList": each["Values"], "PartitionInput": each} for each in inputs
            ]
            return self._glue.batch_update_partition(
                DatabaseName=self.database, TableName=name, Entries=entries
            )

        return self._put(update, name, wanted, descriptor)

    def _put(
        self,
        call: Callable[[list[_Answer]], Any],
        name: str,
        wanted: dict[_Values, str],
        descriptor: _Answer,
    ) -> int:
        inputs = [
            {"Values": values, "StorageDescriptor": descriptor | {"Location": self._location(at)}}
            for values, at in sorted(wanted.items())
        ]
        parts = [inputs[start : start + BATCH] for start in range(0, len(inputs), BATCH)]
        count = len(inputs)
        with ThreadPoolExecutor(_CALLS) as pool:
            for answer in pool.map(call, parts):
                for error in answer.get("Errors", ()):
                    detail = error["ErrorDetail"]
                    if detail["ErrorCode"] != "AlreadyExistsException":
                        values = error.get("PartitionValues") or error.get("PartitionValueList")
                        raise self._failed(
                            f"{detail['ErrorCode']} for partition {values} of table {name}:"
                            f" {detail.get('ErrorMessage')}"
                        )
                    count -= 1
        return count

    def _delete(self, name: str, gone: Iterable[_Values]) -> int:
        def delete(values: _Values) -> None:
            with suppress(self._glue.exceptions.EntityNotFoundException):
                self._glue.delete_partition(
                    DatabaseName=self.database, TableName=name, PartitionValues=values
                )

        with ThreadPoolExecutor(_CALLS) as pool:
            return len(list(pool.map(delete, gone)))

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except ClientError as error:
            if error.response["Error"]["Code"] == "EntityNotFoundException":
                raise CatalogError(
                    f"the Data Catalog's database {self.database} or one of its tables does not"
                    f" exist: {error}. Run `terraform apply`, which creates them, then run this"
                    " again."
                ) from error
            raise self._failed(error) from error
        except BotoCoreError as error:
            raise self._failed(error) from error

    def _failed(self, reason: object) -> CatalogError:
        return CatalogError(
            f"partitions could not be registered in the Data Catalog's database {self.database}:"
            f" {reason}. The lake itself is fine; run this again to register them."
        )


def _partitions(table: Table, keys: Iterable[str]) -> dict[_Values, str]:
    """Return the partitions that keys belong to: the folder by values."""
    names = table.partition_keys
    found = {}
    for key in keys:
        values = layout.values(key)
        if values.keys() == set(names):
            found[tuple(values[name] for name in names)] = layout.folder(key)
    return found


def _bare(column: _Answer) -> _Answer:
    return {"Name": column["Name"], "Type": column["Type"]}
