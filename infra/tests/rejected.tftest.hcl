# Every input that a variable's validation names is refused.

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
}

variables {
  name   = "lake"
  region = "us-east-1"
  dist   = "tests/dist"
}

run "name_too_short" {
  command = plan

  variables {
    name = "ab"
  }

  expect_failures = [var.name]
}

run "name_too_long" {
  command = plan

  variables {
    name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  }

  expect_failures = [var.name]
}

run "name_in_capitals" {
  command = plan

  variables {
    name = "Lake"
  }

  expect_failures = [var.name]
}

run "name_with_underscore" {
  command = plan

  variables {
    name = "my_lake"
  }

  expect_failures = [var.name]
}

run "name_begins_with_digit" {
  command = plan

  variables {
    name = "1lake"
  }

  expect_failures = [var.name]
}

run "name_ends_with_hyphen" {
  command = plan

  variables {
    name = "lake-"
  }

  expect_failures = [var.name]
}

run "region_of_no_form" {
  command = plan

  variables {
    region = "virginia"
  }

  expect_failures = [var.region]
}

run "region_is_a_zone" {
  command = plan

  variables {
    region = "us-east-1a"
  }

  expect_failures = [var.region]
}

run "tags_with_lake" {
  command = plan

  variables {
    tags = { lake = "mine" }
  }

  expect_failures = [var.tags]
}

run "tags_too_many" {
  command = plan

  variables {
    tags = { for number in range(10) : "tag${number}" => "x" }
  }

  expect_failures = [var.tags]
}

run "dist_without_a_wheel" {
  command = plan

  variables {
    dist = "tests"
  }

  expect_failures = [var.dist]
}

run "dist_not_there" {
  command = plan

  variables {
    dist = "tests/nowhere"
  }

  expect_failures = [var.dist]
}

run "dist_with_two_wheels" {
  command = plan

  variables {
    dist = "tests/two-wheels/dist"
  }

  expect_failures = [var.dist]
}

run "dist_without_scripts" {
  command = plan

  variables {
    dist = "tests/wheel-only"
  }

  expect_failures = [var.dist]
}

run "tickers_none" {
  command = plan

  variables {
    tickers = []
  }

  expect_failures = [var.tickers]
}

run "tickers_in_small_letters" {
  command = plan

  variables {
    tickers = ["aapl"]
  }

  expect_failures = [var.tickers]
}

run "tickers_with_slash" {
  command = plan

  variables {
    tickers = ["BRK/B"]
  }

  expect_failures = [var.tickers]
}

run "tickers_with_newline" {
  command = plan

  variables {
    tickers = ["AAPL\nMSFT"]
  }

  expect_failures = [var.tickers]
}

run "tickers_empty_symbol" {
  command = plan

  variables {
    tickers = ["AAPL", ""]
  }

  expect_failures = [var.tickers]
}

run "tickers_too_long" {
  command = plan

  variables {
    tickers = ["ABCDEFGHIJKLMNOPQRSTUVWXY"]
  }

  expect_failures = [var.tickers]
}

run "tickers_twice" {
  command = plan

  variables {
    tickers = ["AAPL", "AAPL"]
  }

  expect_failures = [var.tickers]
}

run "start_without_form" {
  command = plan

  variables {
    start = "January 2020"
  }

  expect_failures = [var.start]
}

run "start_no_date" {
  command = plan

  variables {
    start = "2020-13-01"
  }

  expect_failures = [var.start]
}

run "start_with_time" {
  command = plan

  variables {
    start = "2020-01-01T00:00:00Z"
  }

  expect_failures = [var.start]
}

run "grain_unknown" {
  command = plan

  variables {
    grain = "week"
  }

  expect_failures = [var.grain]
}

run "requests_per_second_zero" {
  command = plan

  variables {
    requests_per_second = 0
  }

  expect_failures = [var.requests_per_second]
}

run "schedule_without_cron" {
  command = plan

  variables {
    schedule = "30 17 * * MON-FRI"
  }

  expect_failures = [var.schedule]
}

run "schedule_with_five_fields" {
  command = plan

  variables {
    schedule = "cron(30 17 ? * MON-FRI)"
  }

  expect_failures = [var.schedule]
}

run "schedule_of_no_rate" {
  command = plan

  variables {
    schedule = "rate(0 days)"
  }

  expect_failures = [var.schedule]
}

run "timezone_abbreviated" {
  command = plan

  variables {
    timezone = "Eastern time"
  }

  expect_failures = [var.timezone]
}

run "timezone_offset" {
  command = plan

  variables {
    timezone = "-05:00"
  }

  expect_failures = [var.timezone]
}

run "worker_type_unknown" {
  command = plan

  variables {
    worker_type = "Standard"
  }

  expect_failures = [var.worker_type]
}

run "extractor_workers_too_low" {
  command = plan

  variables {
    extractor_workers = 1
  }

  expect_failures = [var.extractor_workers]
}

run "extractor_workers_broken" {
  command = plan

  variables {
    extractor_workers = 2.5
  }

  expect_failures = [var.extractor_workers]
}

run "transformer_workers_too_low" {
  command = plan

  variables {
    transformer_workers = 1
  }

  expect_failures = [var.transformer_workers]
}

run "transformer_workers_broken" {
  command = plan

  variables {
    transformer_workers = 2.5
  }

  expect_failures = [var.transformer_workers]
}

run "timeout_minutes_too_low" {
  command = plan

  variables {
    timeout_minutes = 0
  }

  expect_failures = [var.timeout_minutes]
}

run "timeout_minutes_broken" {
  command = plan

  variables {
    timeout_minutes = 2.5
  }

  expect_failures = [var.timeout_minutes]
}

run "timeout_minutes_too_high" {
  command = plan

  variables {
    timeout_minutes = 10081
  }

  expect_failures = [var.timeout_minutes]
}

run "max_retries_too_low" {
  command = plan

  variables {
    max_retries = -1
  }

  expect_failures = [var.max_retries]
}

run "max_retries_broken" {
  command = plan

  variables {
    max_retries = 2.5
  }

  expect_failures = [var.max_retries]
}

run "max_retries_too_high" {
  command = plan

  variables {
    max_retries = 11
  }

  expect_failures = [var.max_retries]
}

run "extractor_arguments_without_hyphens" {
  command = plan

  variables {
    extractor_arguments = { workers = "4" }
  }

  expect_failures = [var.extractor_arguments]
}

run "transformer_arguments_without_hyphens" {
  command = plan

  variables {
    transformer_arguments = { workers = "4" }
  }

  expect_failures = [var.transformer_arguments]
}

run "reserved_concurrency_too_low" {
  command = plan

  variables {
    reserved_concurrency = 0
  }

  expect_failures = [var.reserved_concurrency]
}

run "reserved_concurrency_broken" {
  command = plan

  variables {
    reserved_concurrency = 2.5
  }

  expect_failures = [var.reserved_concurrency]
}

run "noncurrent_days_too_low" {
  command = plan

  variables {
    noncurrent_days = 0
  }

  expect_failures = [var.noncurrent_days]
}

run "noncurrent_days_broken" {
  command = plan

  variables {
    noncurrent_days = 2.5
  }

  expect_failures = [var.noncurrent_days]
}

run "query_result_days_too_low" {
  command = plan

  variables {
    query_result_days = 0
  }

  expect_failures = [var.query_result_days]
}

run "query_result_days_broken" {
  command = plan

  variables {
    query_result_days = 2.5
  }

  expect_failures = [var.query_result_days]
}

run "log_retention_days_unknown" {
  command = plan

  variables {
    log_retention_days = 31
  }

  expect_failures = [var.log_retention_days]
}

run "log_retention_days_zero" {
  command = plan

  variables {
    log_retention_days = 0
  }

  expect_failures = [var.log_retention_days]
}

run "scan_limit_gb_too_low" {
  command = plan

  variables {
    scan_limit_gb = 0.001
  }

  expect_failures = [var.scan_limit_gb]
}

run "email_without_at" {
  command = plan

  variables {
    email = "you.example.com"
  }

  expect_failures = [var.email]
}

run "email_without_domain" {
  command = plan

  variables {
    email = "you@example"
  }

  expect_failures = [var.email]
}

run "quiet_hours_too_low" {
  command = plan

  variables {
    quiet_hours = 0
  }

  expect_failures = [var.quiet_hours]
}

run "quiet_hours_broken" {
  command = plan

  variables {
    quiet_hours = 2.5
  }

  expect_failures = [var.quiet_hours]
}

run "quiet_hours_too_high" {
  command = plan

  variables {
    quiet_hours = 169
  }

  expect_failures = [var.quiet_hours]
}

run "holidays_no_date" {
  command = plan

  variables {
    holidays = ["2026-02-30"]
  }

  expect_failures = [var.holidays]
}

run "holidays_of_no_form" {
  command = plan

  variables {
    holidays = ["25 December"]
  }

  expect_failures = [var.holidays]
}

run "holidays_too_many" {
  command = plan

  variables {
    holidays = [for day in range(46) : formatdate("YYYY-MM-DD", timeadd("2026-01-01T00:00:00Z", "${day * 24}h"))]
  }

  expect_failures = [var.holidays]
}

run "budget_zero" {
  command = plan

  variables {
    budget = 0
  }

  expect_failures = [var.budget]
}
