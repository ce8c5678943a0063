"""The stages of the lake, one module each with one public function."""

from typing import Final

DONE: Final = 0
FAILED: Final = 1
PARTLY_DONE: Final = 3


def exit_code(tickers: int, failed: int) -> int:
    """Return a stage's exit code.

    0 when every ticker succeeded, 1 when none did, 3 when some did. A run of several stages ends
    with the largest of their codes.

    >>> exit_code(5, 0), exit_code(5, 2), exit_code(5, 5), exit_code(0, 0)
    (0, 3, 1, 0)
    """
    if not failed:
        return DONE
    return FAILED if failed == tickers else PARTLY_DONE


def counted(number: int, noun: str) -> str:
    """Return a number and its noun, as in a sentence.

    >>> counted(1, "new bar"), counted(2208, "new bar")
    ('1 new bar', '2,208 new bars')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
