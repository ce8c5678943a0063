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
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:lake-failed-jobs-dlq" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:us-east-1:123456789012:rule/lake-failed-jobs" }
  }
}

variables {
  name      = "lake"
  region    = "us-east-1"
  jobs      = ["lake-extractor", "lake-transformer"]
  job_logs  = { output = "/aws-glue/lake/output", error = "/aws-glue/lake/error" }
  function  = "lake-starter"
  queues    = { starter = "lake-starter-dlq", schedule = "lake-schedule-dlq" }
  workgroup = "lake"
}

run "alarms_reach_the_topic" {
  module {
    source = "./modules/monitoring"
  }

  assert {
    condition = alltrue([
      for alarm in concat(
        [aws_cloudwatch_metric_alarm.starter_errors, aws_cloudwatch_metric_alarm.no_manifest, aws_cloudwatch_metric_alarm.failed_invocations],
        values(aws_cloudwatch_metric_alarm.dead_letters),
        values(aws_cloudwatch_metric_alarm.logs),
      ) :
      contains(alarm.alarm_actions, output.topic_arn)
    ])
    error_message = "An alarm tells nobody."
  }
  assert {
    condition     = jsondecode(aws_cloudwatch_event_rule.failed_jobs.event_pattern).detail == { jobName = ["lake-extractor", "lake-transformer"], state = ["FAILED", "TIMEOUT", "ERROR"] }
    error_message = "A failed job run isn't reported."
  }
  assert {
    condition     = [for alarm in aws_cloudwatch_metric_alarm.dead_letters : alarm.dimensions["QueueName"]] == ["lake-failed-jobs-dlq", "lake-schedule-dlq", "lake-starter-dlq"]
    error_message = "A dead-letter queue isn't watched."
  }
  assert {
    condition     = length(aws_sns_topic_subscription.email) == 0 && length(aws_budgets_budget.this) == 0
    error_message = "There is a subscription or a budget that nobody asked for."
  }
}

run "alarms_watch_what_they_say" {
  module {
    source = "./modules/monitoring"
  }

  assert {
    condition = { for key, alarm in aws_cloudwatch_metric_alarm.dead_letters :
      key => [alarm.namespace, alarm.metric_name, alarm.statistic]
      } == {
      starter     = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum"]
      schedule    = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum"]
      failed-jobs = ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "Maximum"]
    }
    error_message = "An alarm of a dead-letter queue watches another metric."
  }
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.starter_errors.namespace == "AWS/Lambda"
      && aws_cloudwatch_metric_alarm.starter_errors.metric_name == "Errors"
      && aws_cloudwatch_metric_alarm.starter_errors.dimensions == tomap({ FunctionName = "lake-starter" })
    )
    error_message = "The starter's alarm watches another metric."
  }
  assert {
    condition = alltrue([
      for alarm in concat(
        [aws_cloudwatch_metric_alarm.starter_errors, aws_cloudwatch_metric_alarm.failed_invocations],
        values(aws_cloudwatch_metric_alarm.dead_letters),
        values(aws_cloudwatch_metric_alarm.logs),
      ) :
      alarm.threshold == 0 && alarm.comparison_operator == "GreaterThanThreshold" && alarm.treat_missing_data == "notBreaching" && alarm.evaluation_periods == 1
    ])
    error_message = "An alarm doesn't ring at the first failure, or rings without any."
  }
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.no_manifest.comparison_operator == "LessThanThreshold"
      && aws_cloudwatch_metric_alarm.no_manifest.threshold == 1
      && aws_cloudwatch_metric_alarm.no_manifest.treat_missing_data == "breaching"
    )
    error_message = "Silence doesn't ring."
  }
  assert {
    condition = {
      for query in aws_cloudwatch_metric_alarm.no_manifest.metric_query : query.id => query.expression if query.expression != null && query.id != "closed"
      } == {
      clock   = "TIME_SERIES(0)"
      weekday = "DAY(clock) * 100 + HOUR(clock)"
      session = "FLOOR((EPOCH(clock) - 21600) / 86400)"
      signs   = "SUM([FILL(arrivals, 0), closed])"
    }
    error_message = "The alarm of silence computes something else."
  }
  assert {
    condition = [
      for query in aws_cloudwatch_metric_alarm.no_manifest.metric_query : [query.metric[0].namespace, query.metric[0].metric_name, query.metric[0].dimensions["FunctionName"], query.metric[0].stat] if query.id == "arrivals"
    ] == [["AWS/Lambda", "Invocations", "lake-starter", "Sum"]]
    error_message = "The alarm of silence doesn't count the starter's invocations."
  }
}

run "a_failed_job_rings" {
  module {
    source = "./modules/monitoring"
  }

  # EventBridge publishes nothing to a topic whose policy has a condition for it.
  assert {
    condition     = { for s in data.aws_iam_policy_document.topic.statement : s.sid => length(s.condition) } == { PublishAlarms = 1, PublishFailedJobs = 0, PublishBudgetWarnings = 1 }
    error_message = "EventBridge can't publish, or CloudWatch and Budgets of other accounts can."
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.topic.statement : one(s.principals).identifiers if s.sid == "PublishFailedJobs"]) == toset(["events.amazonaws.com"])
    error_message = "EventBridge can't publish."
  }
  assert {
    condition     = aws_cloudwatch_event_target.failed_jobs.dead_letter_config[0].arn == aws_sqs_queue.failed_jobs.arn
    error_message = "A failure that can't be published is lost."
  }
  assert {
    condition = (
      one(data.aws_iam_policy_document.failed_jobs.statement).actions == toset(["sqs:SendMessage"])
      && one(one(data.aws_iam_policy_document.failed_jobs.statement).condition).values == tolist([aws_cloudwatch_event_rule.failed_jobs.arn])
    )
    error_message = "The rule can't send to its dead-letter queue, or other rules can."
  }
  assert {
    condition = (
      aws_cloudwatch_metric_alarm.failed_invocations.namespace == "AWS/Events"
      && aws_cloudwatch_metric_alarm.failed_invocations.metric_name == "FailedInvocations"
      && aws_cloudwatch_metric_alarm.failed_invocations.dimensions["RuleName"] == "lake-failed-jobs"
    )
    error_message = "Nobody notices when a failure can't be published."
  }
}

run "the_mail" {
  module {
    source = "./modules/monitoring"
  }

  # as EventBridge fills it in: a bare placeholder becomes a JSON string, one inside a string is text
  assert {
    condition = jsondecode(replace(replace(replace(replace(
      aws_cloudwatch_event_target.failed_jobs.input_transformer[0].input_template,
      "\"message\": <message>", "\"message\": ${jsonencode("it said \"no\"\nand stopped")}"),
      "<run>-driver", "jr_1-driver"),
      ": <run>", ": \"jr_1\""),
      "/: <(job|state)>/", ": \"$1\"")
      ) == {
      job     = "job"
      state   = "state"
      run     = "jr_1"
      message = "it said \"no\"\nand stopped"
      log     = "https://us-east-1.console.aws.amazon.com/cloudwatch/home?region=us-east-1#logsV2:log-groups/log-group/$252Faws-glue$252Flake$252Foutput/log-events/jr_1-driver"
    }
    error_message = "The mail isn't valid JSON when Glue's message has quotes and newlines, or links to another log."
  }
  assert {
    condition     = toset(keys(aws_cloudwatch_event_target.failed_jobs.input_transformer[0].input_paths)) == toset(["job", "state", "run", "message"])
    error_message = "The mail has other placeholders than it uses."
  }
}

run "logs_ring" {
  module {
    source = "./modules/monitoring"
  }

  assert {
    condition = { for key, filter in aws_cloudwatch_log_metric_filter.this : key => [filter.log_group_name, filter.pattern] } == {
      job-errors          = ["/aws-glue/lake/output", "{ $.level = \"ERROR\" }"]
      many-tickers-failed = ["/aws-glue/lake/output", "{ $.event = \"many_tickers_failed\" }"]
    }
    error_message = "A line in the jobs' log isn't counted."
  }
  assert {
    condition = alltrue([
      for key, alarm in aws_cloudwatch_metric_alarm.logs : alltrue([
        alarm.namespace == aws_cloudwatch_log_metric_filter.this[key].metric_transformation[0].namespace,
        alarm.metric_name == aws_cloudwatch_log_metric_filter.this[key].metric_transformation[0].name,
        alarm.threshold == 0,
      ])
    ])
    error_message = "An alarm watches another metric than its filter's."
  }
}

run "silence" {
  module {
    source = "./modules/monitoring"
  }

  variables {
    quiet_hours = 30
    holidays    = ["2026-11-26", "2026-12-31", "2028-02-29", "2028-03-01"]
  }

  assert {
    condition     = aws_cloudwatch_metric_alarm.no_manifest.evaluation_periods == 30 && aws_cloudwatch_metric_alarm.no_manifest.datapoints_to_alarm == 30
    error_message = "The alarm waits for another number of hours."
  }
  assert {
    condition = contains(
      [for query in aws_cloudwatch_metric_alarm.no_manifest.metric_query : query.expression],
      "IF(weekday >= 606 OR weekday < 106 OR session == 20783 OR session == 20818 OR session == 21243 OR session == 21244, 1, 0)",
    )
    error_message = "Weekends and holidays count."
  }
}

run "longest_expression" {
  module {
    source = "./modules/monitoring"
  }

  variables {
    holidays = [for day in range(45) : formatdate("YYYY-MM-DD", timeadd("2026-01-01T00:00:00Z", "${day * 24}h"))]
  }

  assert {
    condition     = max([for query in aws_cloudwatch_metric_alarm.no_manifest.metric_query : length(coalesce(query.expression, "-"))]...) <= 1024
    error_message = "The expression is longer than the 1024 characters that CloudWatch allows."
  }
}

run "email_budget_key_and_metrics" {
  module {
    source = "./modules/monitoring"
  }

  variables {
    email       = "you@example.com"
    budget      = 10
    job_metrics = true
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/1234"
  }

  assert {
    condition     = aws_sns_topic_subscription.email[0].endpoint == "you@example.com" && aws_budgets_budget.this[0].limit_amount == "10"
    error_message = "The address or the budget isn't the given one."
  }
  assert {
    condition     = aws_sns_topic.this.kms_master_key_id == var.kms_key_arn && aws_sqs_queue.failed_jobs.kms_master_key_id == var.kms_key_arn
    error_message = "The topic or the queue isn't encrypted with the key."
  }
  assert {
    condition     = strcontains(aws_cloudwatch_dashboard.this.dashboard_body, "glue.driver.aggregate.elapsedTime")
    error_message = "The dashboard doesn't show the metrics."
  }
}
