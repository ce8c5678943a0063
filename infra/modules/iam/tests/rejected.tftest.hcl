# Every input that a variable's validation names is refused.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name             = "lake"
  region           = "us-east-1"
  bucket_arn       = "arn:aws:s3:::lake"
  extractor_job    = "lake-extractor"
  transformer_job  = "lake-transformer"
  database         = "lake"
  starter          = "lake-starter"
  starter_dlq_arn  = "arn:aws:sqs:us-east-1:123456789012:a"
  schedule_dlq_arn = "arn:aws:sqs:us-east-1:123456789012:b"
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

run "bucket_arn_of_no_form" {
  command = plan

  variables {
    bucket_arn = "lake"
  }

  expect_failures = [var.bucket_arn]
}

run "extractor_job_wildcard" {
  command = plan

  variables {
    extractor_job = "*"
  }

  expect_failures = [var.extractor_job]
}

run "transformer_job_wildcard" {
  command = plan

  variables {
    transformer_job = "lake/*"
  }

  expect_failures = [var.transformer_job]
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

run "starter_wildcard" {
  command = plan

  variables {
    starter = "*"
  }

  expect_failures = [var.starter]
}

run "starter_dlq_arn_of_no_form" {
  command = plan

  variables {
    starter_dlq_arn = "lake"
  }

  expect_failures = [var.starter_dlq_arn]
}

run "schedule_dlq_arn_of_no_form" {
  command = plan

  variables {
    schedule_dlq_arn = "lake"
  }

  expect_failures = [var.schedule_dlq_arn]
}
