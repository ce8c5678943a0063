"""Glue job script of the transformer: `tickerlake transform --engine spark`, arguments of Glue."""

from tickerlake.cli import glue

if __name__ == "__main__":
    glue.run("transform", "--engine", "spark")
