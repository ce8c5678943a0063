"""AWS Lambda's entry script for the starter: `glue_starter_lambda_function.handler`."""

from tickerlake.aws.starter import handler

__all__ = ["handler"]
