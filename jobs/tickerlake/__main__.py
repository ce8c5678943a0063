"""`python -m tickerlake` is the command `tickerlake`."""

from tickerlake.cli import main

if __name__ == "__main__":
    main()
