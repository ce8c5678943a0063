data "aws_partition" "this" {}

# Starts that Scheduler could not deliver.
resource "aws_sqs_queue" "dlq" {
  name                      = "${var.name}-schedule-dlq"
  message_retention_seconds = 1209600 # 14 days, the longest that SQS offers
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
}

# An EventBridge rule can't target a Glue job: docs/decisions/0009-scheduler-not-rule.md
resource "aws_scheduler_schedule" "this" {
  for_each = var.schedules

  #checkov:skip=CKV_AWS_297:Scheduler encrypts with a key of its own, and a job's name is no secret
  name                         = each.value.job
  description                  = "Starts ${each.value.job}."
  schedule_expression          = each.value.expression
  schedule_expression_timezone = var.timezone
  state                        = each.value.enabled ? "ENABLED" : "DISABLED"

  flexible_time_window {
    mode = "OFF"
  }

  target {
    arn      = "arn:${data.aws_partition.this.partition}:scheduler:::aws-sdk:glue:startJobRun"
    role_arn = var.role_arn
    input    = jsonencode({ JobName = each.value.job })

    retry_policy {
      maximum_event_age_in_seconds = 7200
      maximum_retry_attempts       = 10
    }

    dead_letter_config {
      arn = aws_sqs_queue.dlq.arn
    }
  }
}
