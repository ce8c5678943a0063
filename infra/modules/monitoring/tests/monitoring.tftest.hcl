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
  mock_resource "aws_sns_topic" {
    defaults = { arn = "arn:aws:sns:us-east-1:123456789012:lake-alarms" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:us-east-1:123456789012:rule/lake-failed-jobs" }
  }
}

variables {
  name      = "lake"
  region    = "us-east-1"
  jobs      = ["lake-extractor", "lake-transformer"]
  function  = "lake-starter"
  queues    = { starter = "lake-starter-dlq", schedule = "lake-extractor-dlq" }
  workgroup = "lake"
}

run "alarms_tell_the_topic" {
  assert {
    condition = alltrue([
      for alarm in concat([aws_cloudwatch_metric_alarm.starter_errors, aws_cloudwatch_metric_alarm.no_manifest], values(aws_cloudwatch_metric_alarm.dead_letters)) :
      contains(alarm.alarm_actions, output.topic_arn)
    ])
    error_message = "An alarm tells nobody."
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.failed_jobs.event_pattern).detail == { jobName = ["lake-extractor", "lake-transformer"], state = ["FAILED", "TIMEOUT", "ERROR"] }
    error_message = "A failed job run is not told of."
  }
  assert {
    condition     = [for alarm in aws_cloudwatch_metric_alarm.dead_letters : alarm.dimensions["QueueName"]] == ["lake-extractor-dlq", "lake-starter-dlq"]
    error_message = "A dead-letter queue is not watched."
  }
  assert {
    condition     = length(aws_sns_topic_subscription.email) == 0 && length(aws_budgets_budget.this) == 0
    error_message = "There is an address or a budget that nobody gave."
  }
}

run "silence" {
  variables {
    quiet_hours = 30
    holidays    = ["2026-11-26", "2026-12-31", "2028-02-29", "2028-03-01"]
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.no_manifest.evaluation_periods == 30 && aws_cloudwatch_metric_alarm.no_manifest.datapoints_to_alarm == 30
    error_message = "It is not silent for as long as asked for."
  }
  assert {
    condition = contains(
      [for query in aws_cloudwatch_metric_alarm.no_manifest.metric_query : query.expression],
      "IF(weekday >= 606 OR weekday < 106 OR session == 20783 OR session == 20818 OR session == 21243 OR session == 21244, 1, 0)",
    )
    error_message = "Weekends and holidays are not left out."
  }
}

run "longest_expression" {
  variables {
    holidays = [for day in range(45) : formatdate("YYYY-MM-DD", timeadd("2026-01-01T00:00:00Z", "${day * 24}h"))]
  }

  assert {
    condition     = max([for query in aws_cloudwatch_metric_alarm.no_manifest.metric_query : length(coalesce(query.expression, "-"))]...) <= 1024
    error_message = "CloudWatch takes expressions of 1024 characters at most."
  }
}

run "email_and_budget" {
  variables {
    email  = "you@example.com"
    budget = 10
  }

  assert {
    condition     = aws_sns_topic_subscription.email[0].endpoint == "you@example.com" && aws_budgets_budget.this[0].limit_amount == "10"
    error_message = "The address or the budget is not the one given."
  }
}
