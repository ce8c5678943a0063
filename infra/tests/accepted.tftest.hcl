# Validations accept what is just inside them. What is just outside is refused: rejected.tftest.hcl.

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

run "lowest" {
  command = plan

  variables {
    name                 = "abc"
    tickers              = ["A"]
    requests_per_second  = 0.01
    schedule             = "rate(1 minute)"
    compaction_schedule  = "rate(1 minute)"
    timezone             = "UTC"
    extractor_workers    = 2
    transformer_workers  = 2
    timeout_minutes      = 1
    max_retries          = 0
    reserved_concurrency = 1
    noncurrent_days      = 1
    query_result_days    = 1
    log_retention_days   = 1
    scan_limit_gb        = 0.01
    email                = "a@b.c"
    quiet_hours          = 1
    holidays             = []
    budget               = 0.01
    existing_bucket      = "abc"
    glue_connection      = "a"
  }
}

run "highest" {
  command = plan

  variables {
    name                     = "a23456789012345678901234567890123456z" # 37 characters
    region                   = "us-gov-west-1"
    account_id               = "123456789012"
    tags                     = { for number in range(9) : "tag${number}" => "x" }
    tickers                  = ["^GSPC", "BRK-B", "0700.HK", "EURUSD=X", "BTC-USD", "M&M.NS", "A_B", "ABCDEFGHIJKLMNOPQRSTUVWX"]
    start                    = "2024-02-29"
    grain                    = "year"
    schedule                 = "rate(12 hours)"
    compaction_schedule      = "rate(12 hours)"
    timezone                 = "America/Argentina/Buenos_Aires"
    worker_type              = "G.8X"
    timeout_minutes          = 10080
    max_retries              = 10
    extractor_arguments      = { "--workers" = "4" }
    transformer_arguments    = { "--workers" = "4" }
    log_retention_days       = 3653
    quiet_hours              = 168
    holidays                 = [for day in range(45) : formatdate("YYYY-MM-DD", timeadd("2026-01-01T00:00:00Z", "${day * 24}h"))]
    existing_bucket          = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" # 63 letters
    kms_key_arn              = "arn:aws-us-gov:kms:us-gov-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    permissions_boundary_arn = "arn:aws:iam::aws:policy/PowerUserAccess"
    iam_path                 = "/teams/data/"
    glue_connection          = join("", [for _ in range(255) : "a"])
    lake_formation           = true
    lake_formation_readers   = ["arn:aws:iam::123456789012:role/teams/analyst", "arn:aws:iam::123456789012:user/ann"]
  }
}
