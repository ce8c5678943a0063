# Every input that a variable's validation names is refused.

mock_provider "aws" {}

variables {
  database = "lake"
  lake     = "s3://lake"
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

run "lake_with_slash" {
  command = plan

  variables {
    lake = "s3://lake/"
  }

  expect_failures = [var.lake]
}

run "lake_no_url" {
  command = plan

  variables {
    lake = "lake"
  }

  expect_failures = [var.lake]
}
