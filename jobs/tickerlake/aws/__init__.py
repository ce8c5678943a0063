"""The code that talks to AWS."""
