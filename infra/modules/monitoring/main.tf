data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  # The console wants slashes encoded twice, with $ for %.
  console = lookup(
    { aws-us-gov = "console.amazonaws-us-gov.com", aws-cn = "console.amazonaws.cn" },
    data.aws_partition.this.partition,
    "console.aws.amazon.com",
  )
  log_url = join("", [
    "https://${var.region}.${local.console}/cloudwatch/home?region=${var.region}#logsV2:log-groups/log-group/",
    replace(var.job_logs["output"], "/", "$252F"),
    "/log-events/<run>-driver",
  ])

  alarms = "arn:${data.aws_partition.this.partition}:cloudwatch:${var.region}:${data.aws_caller_identity.this.account_id}:alarm:${var.name}-*"

  # Days since 1970-01-01, as `session` below counts them. This is days_from_civil from
  # https://howardhinnant.github.io/date_algorithms.html, without its case for negative years.
  dates = [
    for date in var.holidays : {
      year  = tonumber(substr(date, 0, 4)) - (tonumber(substr(date, 5, 2)) <= 2 ? 1 : 0)
      month = (tonumber(substr(date, 5, 2)) + 9) % 12
      day   = tonumber(substr(date, 8, 2))
    }
  ]
  holidays = [
    for date in local.dates : "session == ${
      365 * date.year + floor(date.year / 4) - floor(date.year / 100) + floor(date.year / 400)
      + floor((153 * date.month + 2) / 5) + date.day - 719469
    }"
  ]
  closed = join(" OR ", concat(["weekday >= 606", "weekday < 106"], local.holidays))
}

resource "aws_sns_topic" "this" {
  #checkov:skip=CKV_AWS_26:alarms can't be published to a topic with the AWS managed key, and a customer managed key is a choice, kms_key_arn
  name              = "${var.name}-alarms"
  kms_master_key_id = var.kms_key_arn
}

data "aws_iam_policy_document" "topic" {
  statement {
    sid       = "PublishAlarms"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this.arn]

    principals {
      type        = "Service"
      identifiers = ["cloudwatch.amazonaws.com"]
    }

    condition {
      test     = "ArnLike"
      variable = "aws:SourceArn"
      values   = [local.alarms]
    }
  }

  # No condition: EventBridge doesn't support them in topic policies, and would publish nothing.
  statement {
    sid       = "PublishFailedJobs"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }
  }

  statement {
    sid       = "PublishBudgetWarnings"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this.arn]

    principals {
      type        = "Service"
      identifiers = ["budgets.amazonaws.com"]
    }

    condition {
      test     = "StringEquals"
      variable = "aws:SourceAccount"
      values   = [data.aws_caller_identity.this.account_id]
    }
  }
}

resource "aws_sns_topic_policy" "this" {
  arn    = aws_sns_topic.this.arn
  policy = data.aws_iam_policy_document.topic.json
}

resource "aws_sns_topic_subscription" "email" {
  count = var.email == null ? 0 : 1

  topic_arn = aws_sns_topic.this.arn
  protocol  = "email"
  endpoint  = var.email
}

# Glue has no metric for failed job runs, but reports them to EventBridge.
resource "aws_cloudwatch_event_rule" "failed_jobs" {
  name        = "${var.name}-failed-jobs"
  description = "A job run of ${var.name} failed."

  event_pattern = jsonencode({
    source        = ["aws.glue"]
    "detail-type" = ["Glue Job State Change"]
    detail        = { jobName = var.jobs, state = ["FAILED", "TIMEOUT", "ERROR"] }
  })
}

resource "aws_cloudwatch_event_target" "failed_jobs" {
  rule = aws_cloudwatch_event_rule.failed_jobs.name
  arn  = aws_sns_topic.this.arn

  input_transformer {
    input_paths = {
      job     = "$.detail.jobName"
      state   = "$.detail.state"
      run     = "$.detail.jobRunId"
      message = "$.detail.message"
    }
    # EventBridge quotes and escapes what a bare placeholder stands for. Glue's messages contain quotes
    # and newlines; run ids contain neither.
    input_template = <<-JSON
      {
        "job": <job>,
        "state": <state>,
        "run": <run>,
        "message": <message>,
        "log": "${local.log_url}"
      }
    JSON
  }

  dead_letter_config {
    arn = aws_sqs_queue.failed_jobs.arn
  }

  depends_on = [aws_sns_topic_policy.this, aws_sqs_queue_policy.failed_jobs]
}

# Failures that EventBridge could not publish.
resource "aws_sqs_queue" "failed_jobs" {
  name                      = "${var.name}-failed-jobs-dlq"
  message_retention_seconds = 1209600 # 14 days, the longest that SQS offers
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
}

data "aws_iam_policy_document" "failed_jobs" {
  statement {
    sid       = "KeepUndeliveredFailures"
    actions   = ["sqs:SendMessage"]
    resources = [aws_sqs_queue.failed_jobs.arn]

    principals {
      type        = "Service"
      identifiers = ["events.amazonaws.com"]
    }

    condition {
      test     = "ArnEquals"
      variable = "aws:SourceArn"
      values   = [aws_cloudwatch_event_rule.failed_jobs.arn]
    }
  }
}

resource "aws_sqs_queue_policy" "failed_jobs" {
  queue_url = aws_sqs_queue.failed_jobs.url
  policy    = data.aws_iam_policy_document.failed_jobs.json
}

resource "aws_cloudwatch_metric_alarm" "failed_invocations" {
  alarm_name          = "${var.name}-failed-jobs-not-delivered"
  alarm_description   = "A job run failed and EventBridge could not publish it. The event is in ${aws_sqs_queue.failed_jobs.name}."
  namespace           = "AWS/Events"
  metric_name         = "FailedInvocations"
  dimensions          = { RuleName = aws_cloudwatch_event_rule.failed_jobs.name }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}

# A run can succeed although it logged errors or could not fetch some tickers.
locals {
  log_alarms = {
    job-errors = {
      metric      = "ErrorLines"
      pattern     = "{ $.level = \"ERROR\" }"
      description = "A job logged an error. See the log group ${var.job_logs["output"]}."
    }
    many-tickers-failed = {
      metric      = "RunsWithManyFailedTickers"
      pattern     = "{ $.event = \"many_tickers_failed\" }"
      description = "More than a tenth of a run's tickers failed. See the log group ${var.job_logs["output"]}, or run tickerlake status."
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "this" {
  for_each = local.log_alarms

  name           = "${var.name}-${each.key}"
  log_group_name = var.job_logs["output"]
  pattern        = each.value.pattern

  metric_transformation {
    namespace = "tickerlake/${var.name}"
    name      = each.value.metric
    value     = "1"
  }
}

resource "aws_cloudwatch_metric_alarm" "logs" {
  for_each = local.log_alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  namespace           = aws_cloudwatch_log_metric_filter.this[each.key].metric_transformation[0].namespace
  metric_name         = aws_cloudwatch_log_metric_filter.this[each.key].metric_transformation[0].name
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
}

resource "aws_cloudwatch_metric_alarm" "starter_errors" {
  alarm_name          = "${var.name}-starter-errors"
  alarm_description   = "The starter failed. Lambda retries twice, then sends the event to the dead-letter queue."
  namespace           = "AWS/Lambda"
  metric_name         = "Errors"
  dimensions          = { FunctionName = var.function }
  statistic           = "Sum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}

resource "aws_cloudwatch_metric_alarm" "dead_letters" {
  for_each = merge(var.queues, { failed-jobs = aws_sqs_queue.failed_jobs.name })

  alarm_name          = "${var.name}-${each.key}-dead-letters"
  alarm_description   = "${each.value} holds a message that could not be delivered."
  namespace           = "AWS/SQS"
  metric_name         = "ApproximateNumberOfMessagesVisible"
  dimensions          = { QueueName = each.value }
  statistic           = "Maximum"
  period              = 300
  evaluation_periods  = 1
  comparison_operator = "GreaterThanThreshold"
  threshold           = 0
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]
}

# docs/decisions/0010-silence-is-hours-without-an-invocation.md
resource "aws_cloudwatch_metric_alarm" "no_manifest" {
  alarm_name          = "${var.name}-no-manifest"
  alarm_description   = "No manifest has arrived for ${var.quiet_hours} hours, weekends and holidays not counted: the extractor did not run or failed, or Yahoo had nothing new."
  evaluation_periods  = var.quiet_hours
  datapoints_to_alarm = var.quiet_hours
  comparison_operator = "LessThanThreshold"
  threshold           = 1
  treat_missing_data  = "breaching"
  alarm_actions       = [aws_sns_topic.this.arn]
  ok_actions          = [aws_sns_topic.this.arn]

  metric_query {
    id = "arrivals"

    metric {
      namespace   = "AWS/Lambda"
      metric_name = "Invocations"
      dimensions  = { FunctionName = var.function }
      stat        = "Sum"
      period      = 3600
    }
  }

  # Invocations has no data points in quiet hours, so a constant series provides the time.
  metric_query {
    id         = "clock"
    expression = "TIME_SERIES(0)"
    label      = "every hour"
    period     = 3600
  }

  metric_query {
    id         = "weekday"
    expression = "DAY(clock) * 100 + HOUR(clock)"
    label      = "weekday (1 is Monday) and hour, UTC"
  }

  # A session is extracted on its evening in New York, so its day lasts from 06:00 UTC to 06:00 UTC.
  metric_query {
    id         = "session"
    expression = "FLOOR((EPOCH(clock) - 21600) / 86400)"
    label      = "days since 1970-01-01"
  }

  metric_query {
    id         = "closed"
    expression = "IF(${local.closed}, 1, 0)"
    label      = "no session"
  }

  metric_query {
    id          = "signs"
    expression  = "SUM([FILL(arrivals, 0), closed])"
    label       = "manifests, plus 1 while none is expected"
    return_data = true
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    start = "-P14D"
    widgets = [
      for place, widget in concat([
        {
          title = "Manifests that arrived"
          stat  = "Sum"
          metrics = [
            ["AWS/Lambda", "Invocations", "FunctionName", var.function],
            ["AWS/Lambda", "Errors", "FunctionName", var.function],
          ]
        },
        {
          title   = "Dead letters"
          stat    = "Maximum"
          metrics = [for queue in concat(values(var.queues), [aws_sqs_queue.failed_jobs.name]) : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue]]
        },
        {
          title   = "Errors and runs with many failed tickers"
          stat    = "Sum"
          metrics = [for alarm in values(local.log_alarms) : ["tickerlake/${var.name}", alarm.metric]]
        },
        {
          title   = "Bytes scanned by Athena queries"
          stat    = "Sum"
          metrics = [for type in ["DML", "DDL"] : ["AWS/Athena", "ProcessedBytes", "QueryState", "SUCCEEDED", "QueryType", type, "WorkGroup", var.workgroup]]
        },
        ], var.job_metrics ? [
        {
          title   = "Duration of job runs in milliseconds"
          stat    = "Maximum"
          metrics = [for job in var.jobs : ["Glue", "glue.driver.aggregate.elapsedTime", "JobName", job, "JobRunId", "ALL", "Type", "count"]]
        },
      ] : []) :
      {
        type       = "metric"
        x          = place % 2 * 12
        y          = floor(place / 2) * 6
        width      = 12
        height     = 6
        properties = merge(widget, { region = var.region, period = 3600, view = "timeSeries" })
      }
    ]
  })
}

# It covers the whole account. A budget for the lake's tag would stay at 0 until somebody activates the
# tag for billing by hand.
resource "aws_budgets_budget" "this" {
  count = var.budget == null ? 0 : 1

  name         = var.name
  budget_type  = "COST"
  limit_amount = tostring(var.budget)
  limit_unit   = "USD"
  time_unit    = "MONTHLY"

  dynamic "notification" {
    for_each = ["ACTUAL", "FORECASTED"]

    content {
      notification_type         = notification.value
      comparison_operator       = "GREATER_THAN"
      threshold                 = 100
      threshold_type            = "PERCENTAGE"
      subscriber_sns_topic_arns = [aws_sns_topic.this.arn]
    }
  }

  depends_on = [aws_sns_topic_policy.this]
}
