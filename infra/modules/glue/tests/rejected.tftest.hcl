# Every input that a variable's validation names is refused.

mock_provider "aws" {}

variables {
  name                 = "lake"
  bucket               = "lake-123456789012"
  dist                 = "../../tests/dist"
  extractor_role_arn   = "arn:aws:iam::123456789012:role/e"
  transformer_role_arn = "arn:aws:iam::123456789012:role/t"
  database             = "lake"
  tickers              = ["AAPL"]
  start                = "2020-01-01"
  grain                = "day"
  requests_per_second  = 5
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

run "dist_not_there" {
  command = plan

  variables {
    dist = "../../tests/nowhere"
  }

  expect_failures = [var.dist]
}

run "dist_with_two_wheels" {
  command = plan

  variables {
    dist = "../../tests/two-wheels/dist"
  }

  expect_failures = [var.dist]
}

run "dist_without_scripts" {
  command = plan

  variables {
    dist = "../../tests/wheel-only"
  }

  expect_failures = [var.dist]
}

run "extractor_role_arn_of_no_form" {
  command = plan

  variables {
    extractor_role_arn = "lake"
  }

  expect_failures = [var.extractor_role_arn]
}

run "transformer_role_arn_of_no_form" {
  command = plan

  variables {
    transformer_role_arn = "lake"
  }

  expect_failures = [var.transformer_role_arn]
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

run "tickers_none" {
  command = plan

  variables {
    tickers = []
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
