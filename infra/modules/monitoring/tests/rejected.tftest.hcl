# Every input that a variable's validation names is refused.

mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name      = "lake"
  region    = "us-east-1"
  jobs      = ["lake-extractor"]
  function  = "lake-starter"
  queues    = { starter = "lake-starter-dlq" }
  workgroup = "lake"
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

run "jobs_none" {
  command = plan

  variables {
    jobs = []
  }

  expect_failures = [var.jobs]
}

run "function_empty" {
  command = plan

  variables {
    function = ""
  }

  expect_failures = [var.function]
}

run "queues_none" {
  command = plan

  variables {
    queues = {}
  }

  expect_failures = [var.queues]
}

run "workgroup_empty" {
  command = plan

  variables {
    workgroup = ""
  }

  expect_failures = [var.workgroup]
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
