# Every input that a variable's validation names is refused.

mock_provider "aws" {}

variables {
  bucket      = "lake-123456789012"
  starter_arn = "arn:aws:lambda:us-east-1:123456789012:function:starter"
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

run "starter_arn_of_no_form" {
  command = plan

  variables {
    starter_arn = "lake"
  }

  expect_failures = [var.starter_arn]
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
