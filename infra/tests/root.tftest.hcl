# What a name and a region give, and what the other variables change.

mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
  mock_resource "aws_s3_bucket" {
    defaults = { arn = "arn:aws:s3:::lake-123456789012" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:lake-dlq" }
  }
  mock_resource "aws_iam_policy" {
    defaults = { arn = "arn:aws:iam::123456789012:policy/lake-reader" }
  }
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::123456789012:role/lake" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:lake-starter" }
  }
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:lake-alarms" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:us-east-1:123456789012:rule/lake-failed-jobs" }
  }
}

variables {
  name   = "my-lake"
  region = "us-east-1"
  dist   = "tests/dist"
}

run "defaults" {
  assert {
    condition     = output.bucket == "my-lake-123456789012" && output.lake == "s3://my-lake-123456789012"
    error_message = "The bucket isn't named after the lake and the account."
  }
  assert {
    condition     = output.extractor_job == "my-lake-extractor" && output.transformer_job == "my-lake-transformer"
    error_message = "The jobs aren't those that the roles may start."
  }
  assert {
    condition     = output.starter_function == "my-lake-starter" && output.schedule == "my-lake-extractor"
    error_message = "The starter or the schedule isn't named after the lake."
  }
  assert {
    condition     = output.compactor_job == "my-lake-compactor" && keys(module.scheduler.names) == ["extractor"]
    error_message = "A lake by day is compacted, although there is nothing to pack."
  }
  assert {
    condition     = output.job_logs == { error = "/aws-glue/my-lake/error", output = "/aws-glue/my-lake/output" }
    error_message = "The jobs' logs aren't where the roles may write them."
  }
  assert {
    condition     = output.database == "my_lake" && output.workgroup == "my-lake"
    error_message = "The database or the workgroup isn't named after the lake."
  }
  assert {
    condition     = output.dashboard == "my-lake" && output.alarm_topic_arn != null
    error_message = "Monitoring is off."
  }
}

run "existing_bucket_without_monitoring" {
  variables {
    monitoring      = false
    existing_bucket = "company-data"
  }

  assert {
    condition     = output.bucket == "company-data" && output.lake == "s3://company-data"
    error_message = "The lake isn't in the existing bucket."
  }

  assert {
    condition     = output.dashboard == null && output.alarm_topic_arn == null
    error_message = "Monitoring is on."
  }
}

run "a_lake_by_year_is_compacted" {
  variables {
    grain = "year"
  }

  assert {
    condition     = module.scheduler.names == { compactor = "my-lake-compactor", extractor = "my-lake-extractor" }
    error_message = "Nothing compacts the lake."
  }
}

run "unless_nobody_wants_it" {
  variables {
    grain               = "month"
    compaction_schedule = null
  }

  assert {
    condition     = keys(module.scheduler.names) == ["extractor"]
    error_message = "The lake is compacted, although nobody wants it."
  }
}
