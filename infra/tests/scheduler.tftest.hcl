mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:lake-schedule-dlq" }
  }
}

variables {
  name     = "lake"
  role_arn = "arn:aws:iam::123456789012:role/lake-scheduler"
  timezone = "America/New_York"
  schedules = {
    extractor = { job = "lake-extractor", expression = "cron(30 17 ? * MON-FRI *)", enabled = true }
    compactor = { job = "lake-compactor", expression = "cron(0 12 ? * SUN *)", enabled = true }
  }
}

run "starts_the_jobs" {
  module {
    source = "./modules/scheduler"
  }

  assert {
    condition = alltrue([
      for key, schedule in aws_scheduler_schedule.this : alltrue([
        schedule.target[0].arn == "arn:aws:scheduler:::aws-sdk:glue:startJobRun",
        jsondecode(schedule.target[0].input) == { JobName = "lake-${key}" },
        schedule.target[0].role_arn == var.role_arn,
      ])
    ])
    error_message = "A schedule doesn't start its job."
  }
  assert {
    condition = { for key, schedule in aws_scheduler_schedule.this : schedule.name => schedule.schedule_expression } == {
      lake-extractor = "cron(30 17 ? * MON-FRI *)"
      lake-compactor = "cron(0 12 ? * SUN *)"
    }
    error_message = "A job starts at another time than its own."
  }
  assert {
    condition = alltrue([
      for schedule in aws_scheduler_schedule.this : alltrue([
        schedule.schedule_expression_timezone == "America/New_York",
        schedule.state == "ENABLED",
        schedule.flexible_time_window[0].mode == "OFF",
      ])
    ])
    error_message = "A schedule isn't the one asked for."
  }
  assert {
    condition = alltrue([
      for schedule in aws_scheduler_schedule.this : alltrue([
        schedule.target[0].dead_letter_config[0].arn == output.dlq_arn,
        schedule.target[0].retry_policy[0].maximum_retry_attempts == 10,
        schedule.target[0].retry_policy[0].maximum_event_age_in_seconds == 7200,
      ])
    ])
    error_message = "A start that fails isn't retried and kept."
  }
}

run "off_and_encrypted" {
  module {
    source = "./modules/scheduler"
  }

  variables {
    schedules   = { extractor = { job = "lake-extractor", expression = "rate(1 day)", enabled = false } }
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/1234"
  }

  assert {
    condition     = aws_sqs_queue.dlq.kms_master_key_id == var.kms_key_arn
    error_message = "The queue isn't encrypted with the key."
  }

  assert {
    condition     = aws_scheduler_schedule.this["extractor"].state == "DISABLED"
    error_message = "The schedule is on."
  }
}
