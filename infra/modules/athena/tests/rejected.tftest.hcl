# Every input that a variable's validation names is refused.

mock_provider "aws" {}

variables {
  name     = "lake"
  bucket   = "lake-123456789012"
  database = "lake"
  grain    = "day"
}

run "name_with_space" {
  command = plan

  variables {
    name = "my group"
  }

  expect_failures = [var.name]
}

run "bucket_in_capitals" {
  command = plan

  variables {
    bucket = "Lake"
  }

  expect_failures = [var.bucket]
}

run "bucket_too_short" {
  command = plan

  variables {
    bucket = "ab"
  }

  expect_failures = [var.bucket]
}

run "database_with_hyphen" {
  command = plan

  variables {
    database = "my-lake"
  }

  expect_failures = [var.database]
}

run "database_in_capitals" {
  command = plan

  variables {
    database = "Lake"
  }

  expect_failures = [var.database]
}

run "grain_unknown" {
  command = plan

  variables {
    grain = "week"
  }

  expect_failures = [var.grain]
}

run "scan_limit_gb_too_low" {
  command = plan

  variables {
    scan_limit_gb = 0.001
  }

  expect_failures = [var.scan_limit_gb]
}
