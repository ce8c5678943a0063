"""What `verify` finds, and the command that repairs it."""

from typing import Final, Literal, NamedTuple

Kind = Literal[
    "marker", "obstacle", "manifest", "receipt", "note", "blob", "quarantine", "counts", "derived",
    "stray", "pending", "behind", "retried", "checkpoint", "pack",
]  # fmt: skip

REMEDIES: Final = {
    "pending": "`tickerlake transform` processes it",
    "retried": "once that is put right, `tickerlake transform` catches up",
    "stray": "`tickerlake repair --prune` removes it",
}
_REPAIR: Final = "`tickerlake repair` repairs it"


class Finding(NamedTuple):
    """Something that is not as it should be.

    Attributes:
        kind: what kind of thing it is; decides the remedy.
        key: the object's key.
        text: what is wrong with it.
        ticker: whose it is; '' when it concerns the whole lake.
        run_id: the run that lists it; '' when none does.
    """

    kind: Kind
    key: str
    text: str
    ticker: str = ""
    run_id: str = ""

    @property
    def remedy(self) -> str:
        """The command that repairs it."""
        return REMEDIES.get(self.kind, _REPAIR)

    def __str__(self) -> str:
        """Return a line for people."""
        return f"{self.key} {self.text}; {self.remedy}"
