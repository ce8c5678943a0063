"""Glue job script of the extractor: `tickerlake extract` with Glue's arguments."""

from tickerlake.cli import glue

if __name__ == "__main__":
    glue.run("extract")
