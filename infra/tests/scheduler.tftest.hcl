mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:lake-extractor-dlq" }
  }
}

variables {
  name       = "lake-extractor"
  job        = "lake-extractor"
  role_arn   = "arn:aws:iam::123456789012:role/lake-scheduler"
  expression = "cron(30 17 ? * MON-FRI *)"
  timezone   = "America/New_York"
}

run "starts_the_job" {
  module {
    source = "./modules/scheduler"
  }

  assert {
    condition = (
      aws_scheduler_schedule.this.target[0].arn == "arn:aws:scheduler:::aws-sdk:glue:startJobRun"
      && jsondecode(aws_scheduler_schedule.this.target[0].input) == { JobName = "lake-extractor" }
      && aws_scheduler_schedule.this.target[0].role_arn == var.role_arn
    )
    error_message = "The schedule doesn't start the job."
  }
  assert {
    condition = (
      aws_scheduler_schedule.this.schedule_expression == var.expression
      && aws_scheduler_schedule.this.schedule_expression_timezone == "America/New_York"
      && aws_scheduler_schedule.this.state == "ENABLED"
      && aws_scheduler_schedule.this.flexible_time_window[0].mode == "OFF"
    )
    error_message = "The schedule isn't the one asked for."
  }
  assert {
    condition     = aws_scheduler_schedule.this.target[0].dead_letter_config[0].arn == output.dlq_arn && aws_scheduler_schedule.this.target[0].retry_policy[0].maximum_retry_attempts == 10 && aws_scheduler_schedule.this.target[0].retry_policy[0].maximum_event_age_in_seconds == 7200
    error_message = "A start that fails isn't retried and kept."
  }
}

run "off_and_encrypted" {
  module {
    source = "./modules/scheduler"
  }

  variables {
    enabled     = false
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/1234"
  }

  assert {
    condition     = aws_sqs_queue.dlq.kms_master_key_id == var.kms_key_arn
    error_message = "The queue isn't encrypted with the key."
  }

  assert {
    condition     = aws_scheduler_schedule.this.state == "DISABLED"
    error_message = "The schedule is on."
  }
}
