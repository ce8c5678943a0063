# Every input that a variable's validation names is refused.

mock_provider "aws" {}

variables {
  name       = "lake-extractor"
  job        = "lake-extractor"
  role_arn   = "arn:aws:iam::123456789012:role/scheduler"
  expression = "rate(1 day)"
  timezone   = "UTC"
}

run "name_with_space" {
  command = plan

  variables {
    name = "my schedule"
  }

  expect_failures = [var.name]
}

run "name_too_long" {
  command = plan

  variables {
    name = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  }

  expect_failures = [var.name]
}

run "job_empty" {
  command = plan

  variables {
    job = ""
  }

  expect_failures = [var.job]
}

run "role_arn_of_no_form" {
  command = plan

  variables {
    role_arn = "lake"
  }

  expect_failures = [var.role_arn]
}

run "expression_without_cron" {
  command = plan

  variables {
    expression = "30 17 * * MON-FRI"
  }

  expect_failures = [var.expression]
}

run "expression_with_five_fields" {
  command = plan

  variables {
    expression = "cron(30 17 ? * MON-FRI)"
  }

  expect_failures = [var.expression]
}

run "expression_of_no_rate" {
  command = plan

  variables {
    expression = "rate(0 days)"
  }

  expect_failures = [var.expression]
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
