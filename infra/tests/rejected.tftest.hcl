# Every validation refuses what is just outside it. Each run breaks many variables at once, because a
# plan takes longer than all validations together. What is just inside is accepted: accepted.tftest.hcl.

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

run "below_the_border" {
  command = plan

  variables {
    name                     = "ab"
    account_id               = "12345678901"
    dist                     = "tests/nowhere"
    tickers                  = []
    requests_per_second      = 0
    extractor_workers        = 1
    transformer_workers      = 1
    timeout_minutes          = 0
    max_retries              = -1
    reserved_concurrency     = 0
    noncurrent_days          = 0
    query_result_days        = 0
    log_retention_days       = 0
    scan_limit_gb            = 0.009
    quiet_hours              = 0
    budget                   = 0
    existing_bucket          = "ab"
    glue_connection          = ""
    iam_path                 = ""
    email                    = ""
    kms_key_arn              = ""
    permissions_boundary_arn = ""
    lake_formation_readers   = [""]
  }

  expect_failures = [
    var.name, var.account_id, var.dist, var.tickers, var.requests_per_second, var.extractor_workers,
    var.transformer_workers, var.timeout_minutes, var.max_retries, var.reserved_concurrency,
    var.noncurrent_days, var.query_result_days, var.log_retention_days, var.scan_limit_gb,
    var.quiet_hours, var.budget, var.existing_bucket, var.glue_connection, var.iam_path, var.email,
    var.kms_key_arn, var.permissions_boundary_arn, var.lake_formation_readers,
  ]
}

run "above_the_border" {
  command = plan

  variables {
    name               = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" # 38 letters
    account_id         = "1234567890123"
    dist               = "tests/two-versions/dist"
    tags               = { for number in range(10) : "tag${number}" => "x" }
    tickers            = ["ABCDEFGHIJKLMNOPQRSTUVWXY"]
    start              = "2020-13-01"
    timeout_minutes    = 10081
    max_retries        = 11
    log_retention_days = 3654
    quiet_hours        = 169
    holidays           = [for day in range(46) : formatdate("YYYY-MM-DD", timeadd("2026-01-01T00:00:00Z", "${day * 24}h"))]
    existing_bucket    = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" # 64 letters
    glue_connection    = join("", [for _ in range(256) : "a"])
  }

  expect_failures = [
    var.name, var.account_id, var.dist, var.tags, var.tickers, var.start, var.timeout_minutes,
    var.max_retries, var.log_retention_days, var.quiet_hours, var.holidays, var.existing_bucket,
    var.glue_connection,
  ]
}

run "not_whole" {
  command = plan

  variables {
    extractor_workers    = 2.5
    transformer_workers  = 2.5
    timeout_minutes      = 2.5
    max_retries          = 2.5
    reserved_concurrency = 2.5
    noncurrent_days      = 2.5
    query_result_days    = 2.5
    log_retention_days   = 3.5
    quiet_hours          = 2.5
  }

  expect_failures = [
    var.extractor_workers, var.transformer_workers, var.timeout_minutes, var.max_retries,
    var.reserved_concurrency, var.noncurrent_days, var.query_result_days, var.log_retention_days,
    var.quiet_hours,
  ]
}

run "unknown_choice" {
  command = plan

  variables {
    name                     = "Lake"
    region                   = "virginia"
    account_id               = "12345678901a"
    tags                     = { lake = "mine" }
    dist                     = "tests"
    tickers                  = ["aapl"]
    start                    = "January 2020"
    grain                    = "week"
    schedule                 = "rate(1 fortnight)"
    compaction_schedule      = "rate(1 fortnight)"
    timezone                 = "Eastern time"
    worker_type              = "Standard"
    log_retention_days       = 31
    email                    = "you.example.com"
    holidays                 = ["25 December"]
    existing_bucket          = "Lake"
    kms_key_arn              = "arn:aws:kms:us-east-1:123456789012:alias/lake"
    permissions_boundary_arn = "arn:aws:iam::123456789012:role/boundary"
    iam_path                 = "/teams"
    glue_connection          = "my connection"
    lake_formation_readers   = ["arn:aws:iam::123456789012:policy/readers"]
    extractor_arguments      = { workers = "4" }
    transformer_arguments    = { "-workers" = "4" }
  }

  expect_failures = [
    var.name, var.region, var.account_id, var.tags, var.dist, var.tickers, var.start, var.grain,
    var.schedule, var.compaction_schedule, var.timezone, var.worker_type, var.log_retention_days, var.email, var.holidays,
    var.existing_bucket, var.kms_key_arn, var.permissions_boundary_arn, var.iam_path,
    var.glue_connection, var.lake_formation_readers, var.extractor_arguments,
    var.transformer_arguments,
  ]
}

run "wrong_form" {
  command = plan

  variables {
    name                     = "my_lake"
    region                   = "us-east-1a"
    dist                     = "tests/packages-only"
    tickers                  = ["BRK/B"]
    start                    = "2020-01-01T00:00:00Z"
    schedule                 = "30 17 * * MON-FRI"
    compaction_schedule      = ""
    timezone                 = "-05:00"
    email                    = "you@example"
    holidays                 = ["2026-02-30"]
    existing_bucket          = "my.lake"
    kms_key_arn              = "lake"
    permissions_boundary_arn = "boundary"
    iam_path                 = "teams/"
    lake_formation_readers   = ["arn:aws:iam::123456789012:role/reader", "reader"]
  }

  expect_failures = [
    var.name, var.region, var.dist, var.tickers, var.start, var.schedule, var.compaction_schedule, var.timezone, var.email,
    var.holidays, var.existing_bucket, var.kms_key_arn, var.permissions_boundary_arn, var.iam_path,
    var.lake_formation_readers,
  ]
}

run "wrong_start" {
  command = plan

  variables {
    name            = "1lake"
    region          = "US-EAST-1"
    tickers         = ["-AAPL"]
    schedule        = "at(2026-01-01T00:00:00)"
    email           = "@example.com"
    existing_bucket = "-lake"
  }

  expect_failures = [var.name, var.region, var.tickers, var.schedule, var.email, var.existing_bucket]
}

run "wrong_end" {
  command = plan

  variables {
    name            = "lake-"
    region          = "us-east-"
    tickers         = ["AAPL\nMSFT"]
    schedule        = "cron(30 17 ? * MON-FRI)" # five fields
    timezone        = "America/"
    email           = "you@example.com\n"
    existing_bucket = "lake-"
  }

  expect_failures = [
    var.name, var.region, var.tickers, var.schedule, var.timezone, var.email, var.existing_bucket,
  ]
}

run "empty_or_repeated" {
  command = plan

  variables {
    tickers  = ["AAPL", ""]
    schedule = "rate(0 days)"
    email    = "you@a b.com"
    budget   = -1
    iam_path = "/te ams/"
  }

  expect_failures = [var.tickers, var.schedule, var.email, var.budget, var.iam_path]
}

run "a_ticker_twice" {
  command = plan

  variables {
    tickers = ["AAPL", "AAPL"]
  }

  expect_failures = [var.tickers]
}
