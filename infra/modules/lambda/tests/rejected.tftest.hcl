# Every input that a variable's validation names is refused.

mock_provider "aws" {}

variables {
  name            = "lake-starter"
  package         = "../../tests/dist/starter.zip"
  role_arn        = "arn:aws:iam::123456789012:role/starter"
  transformer_job = "lake-transformer"
  bucket_arn      = "arn:aws:s3:::lake"
}

run "name_with_space" {
  command = plan

  variables {
    name = "my starter"
  }

  expect_failures = [var.name]
}

run "name_too_long" {
  command = plan

  variables {
    name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  }

  expect_failures = [var.name]
}

run "package_not_there" {
  command = plan

  variables {
    package = "nowhere.zip"
  }

  expect_failures = [var.package]
}

run "package_no_zip" {
  command = plan

  variables {
    package = "../../tests/dist/glue_extractor_job.py"
  }

  expect_failures = [var.package]
}

run "role_arn_of_no_form" {
  command = plan

  variables {
    role_arn = "lake"
  }

  expect_failures = [var.role_arn]
}

run "transformer_job_empty" {
  command = plan

  variables {
    transformer_job = ""
  }

  expect_failures = [var.transformer_job]
}

run "bucket_arn_of_no_form" {
  command = plan

  variables {
    bucket_arn = "lake"
  }

  expect_failures = [var.bucket_arn]
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
