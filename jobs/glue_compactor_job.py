"""Glue job script of the compactor: `tickerlake compact` with Glue's arguments."""

from tickerlake.cli import glue

if __name__ == "__main__":
    glue.run("compact")
