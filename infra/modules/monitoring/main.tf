data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  alarms = "arn:${data.aws_partition.this.partition}:cloudwatch:${var.region}:${data.aws_caller_identity.this.account_id}:alarm:${var.name}-*"

  # Days since 1970-01-01, as `session` below counts them. The arithmetic is days_from_civil of
  # https://howardhinnant.github.io/date_algorithms.html, for dates after Christ.
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
  #checkov:skip=CKV_AWS_26:alarms can't be published to a topic with the AWS managed key, and a key of one's own costs more than all of this; the messages hold job names
  name = "${var.name}-alarms"
}

data "aws_iam_policy_document" "topic" {
  statement {
    sid       = "Alarms"
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

  statement {
    sid       = "FailedJobs"
    actions   = ["sns:Publish"]
    resources = [aws_sns_topic.this.arn]

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

  statement {
    sid       = "Budget"
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

# Glue has no metric of failed runs, but tells EventBridge of them.
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
    input_template = "\"<job> <state>: <message> Its log is in CloudWatch, log group /aws-glue/jobs/error, stream <run>.\""
  }

  depends_on = [aws_sns_topic_policy.this]
}

resource "aws_cloudwatch_metric_alarm" "starter_errors" {
  alarm_name          = "${var.name}-starter-errors"
  alarm_description   = "The starter failed. Lambda tries twice more; then the event is in the dead-letter queue."
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
  for_each = var.queues

  alarm_name          = "${var.name}-${each.key}-dead-letters"
  alarm_description   = "${each.value} holds what could not be delivered."
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
  alarm_description   = "No manifest has arrived for ${var.quiet_hours} hours of trading days: nothing was extracted, or Yahoo had nothing new."
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

  # Invocations has no data points in quiet hours, so the time comes from a series that has all
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

  # a session's run comes on its evening in New York, so its day is from 06:00 UTC to the next
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
    label       = "manifests, or a reason for none"
    return_data = true
  }
}

resource "aws_cloudwatch_dashboard" "this" {
  dashboard_name = var.name

  dashboard_body = jsonencode({
    start = "-P14D"
    widgets = [
      for place, widget in [
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
          metrics = [for queue in values(var.queues) : ["AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue]]
        },
        {
          title   = "Milliseconds that job runs took"
          stat    = "Maximum"
          metrics = [for job in var.jobs : ["Glue", "glue.driver.aggregate.elapsedTime", "JobName", job, "JobRunId", "ALL", "Type", "count"]]
        },
        {
          title   = "Bytes that Athena queries scanned"
          stat    = "Sum"
          metrics = [for type in ["DML", "DDL"] : ["AWS/Athena", "ProcessedBytes", "QueryState", "SUCCEEDED", "QueryType", type, "WorkGroup", var.workgroup]]
        },
      ] :
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

# The account's cost: a budget by tag sees nothing until the tag is activated for billing by hand.
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
