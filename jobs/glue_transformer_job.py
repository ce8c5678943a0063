"""Glue script of the transformer: `tickerlake transform --engine spark` with Glue's arguments."""

from tickerlake.cli import glue

if __name__ == "__main__":
    glue.run("transform", "--engine", "spark")
