"""Verify the runs: manifests, receipts, the checkpoint, and the archive of manifests."""

from pydantic import ValidationError

from tickerlake.errors import CorruptObjectError, UsageError
from tickerlake.lake import Lake, audit, layout, manifests
from tickerlake.lake.backlog import Survey
from tickerlake.lake.checkpoints import Reader
from tickerlake.lake.lost import without_lost
from tickerlake.lake.manifests import Manifest, Receipt
from tickerlake.stages.findings import Finding


def manifests_of(lake: Lake, survey: Survey) -> tuple[list[Finding], list[Manifest]]:
    """Read all manifests and receipts; report those that can't be read.

    Raises:
        CorruptObjectError: the checkpoint can't be used.
    """
    known = survey.checkpoint
    found, read = [], []
    for run_id, data in Reader(lake.store, known).documents(known.run_ids, None):
        read.append(manifests.parse(run_id, data))
    for run_id in sorted(set(survey.runs) - known.run_ids):
        try:
            read.append(manifests.read(lake.store, run_id))
        except (CorruptObjectError, UsageError) as error:
            key = layout.run(run_id)
            found.append(Finding("manifest", key, f"can't be read: {error}", run_id=run_id))
    found += _receipts(lake, survey)
    for each in audit.compare(lake.store):
        found.append(Finding("checkpoint", each.key, each.text, run_id=each.run_id))
    return found, without_lost(read)


def _receipts(lake: Lake, survey: Survey) -> list[Finding]:
    found = []
    for run_id in sorted(survey.receipts - survey.checkpoint.run_ids):
        key, run_key = layout.receipt(run_id), layout.run(run_id)
        if run_id not in survey.runs:
            if lake.store.get(run_key) is None:  # otherwise it was committed a moment ago
                text = "is missing, though it has a receipt"
                found.append(Finding("manifest", run_key, text, run_id=run_id))
        elif not _is_receipt(lake, key, run_id):
            found.append(Finding("receipt", key, "can't be read", run_id=run_id))
    return found


def _is_receipt(lake: Lake, key: str, run_id: str) -> bool:
    try:
        return Receipt.model_validate_json(lake.store.get(key) or b"").run_id == run_id
    except (ValidationError, CorruptObjectError):
        return False
