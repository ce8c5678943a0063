mock_provider "aws" {}

variables {
  name                 = "lake"
  region               = "us-east-1"
  bucket               = "lake-123456789012"
  dist                 = "tests/dist"
  extractor_role_arn   = "arn:aws:iam::123456789012:role/lake-extractor"
  transformer_role_arn = "arn:aws:iam::123456789012:role/lake-transformer"
  compactor_role_arn   = "arn:aws:iam::123456789012:role/lake-compactor"
  database             = "lake"
  tickers              = ["AAPL", "^GSPC"]
  start                = "2020-01-01"
  grain                = "day"
  requests_per_second  = 5
  logs                 = "/aws-glue/lake"
}

run "jobs" {
  module {
    source = "./modules/glue"
  }

  assert {
    condition = alltrue([
      for job in aws_glue_job.this : alltrue([
        job.glue_version == "6.0",
        job.command[0].name == "glueetl",
        job.worker_type == "G.1X" && job.number_of_workers == 2,
        job.timeout == 120,
        job.default_arguments["--lake"] == "s3://lake-123456789012",
        job.default_arguments["--region"] == "us-east-1",
      ])
    ])
    error_message = "A job has other settings than both should have."
  }
  assert {
    condition     = alltrue([for job in aws_glue_job.this : job.max_retries == 1 && !job.job_run_queuing_enabled])
    error_message = "Jobs must retry and not queue: Glue doesn't retry queued runs."
  }
  assert {
    condition = (
      aws_glue_job.this["extractor"].execution_property[0].max_concurrent_runs == 1
      && aws_glue_job.this["compactor"].execution_property[0].max_concurrent_runs == 1
      && aws_glue_job.this["transformer"].execution_property[0].max_concurrent_runs == 3
    )
    error_message = "One extractor, one compactor and three transformers may run at the same time."
  }
  assert {
    condition = alltrue([
      for job in aws_glue_job.this : alltrue([
        job.default_arguments["--python-modules-installer-option"] == "--no-index",
        endswith(job.default_arguments["--additional-python-modules"], "/tickerlake-0.0.0.gluewheels.zip"),
        !contains(keys(job.default_arguments), "--extra-py-files"),
      ])
    ])
    error_message = "A job doesn't install its packages from the zip file of wheels alone."
  }
  assert {
    condition     = alltrue([for job in aws_glue_job.this : !contains(keys(job.default_arguments), "--report") && !contains(keys(job.default_arguments), "--enable-metrics") && length(coalesce(job.connections, [])) == 0])
    error_message = "A job publishes billed metrics, joins a VPC or writes a report although nobody asked for it."
  }
  assert {
    condition = (
      alltrue([for job in aws_glue_job.this : job.default_arguments["--custom-logGroup-prefix"] == "/aws-glue/lake"])
      && { for group in aws_cloudwatch_log_group.this : group.name => group.retention_in_days } == { "/aws-glue/lake/error" = 90, "/aws-glue/lake/output" = 90 }
    )
    error_message = "The jobs don't log to groups with a retention."
  }
  assert {
    condition = (
      aws_glue_job.this["extractor"].role_arn == var.extractor_role_arn
      && aws_glue_job.this["transformer"].role_arn == var.transformer_role_arn
      && aws_glue_job.this["compactor"].role_arn == var.compactor_role_arn
    )
    error_message = "A job has another job's role."
  }
  assert {
    condition     = endswith(aws_glue_job.this["compactor"].command[0].script_location, "/glue_compactor_job.py") && !contains(keys(aws_glue_job.this["compactor"].default_arguments), "--catalog")
    error_message = "The compactor has another job's script or arguments."
  }
  assert {
    condition = aws_glue_job.this["extractor"].command[0].script_location == join("", [
      "s3://lake-123456789012/_artifacts/",
      substr(filesha256("tests/dist/glue_extractor_job.py"), 0, 16),
      "/glue_extractor_job.py",
    ])
    error_message = "The script's key doesn't contain its hash."
  }
}

run "arguments" {
  module {
    source = "./modules/glue"
  }

  variables {
    extractor_arguments   = { "--workers" = "4", "--start" = "2024-01-01" }
    transformer_arguments = { "--rebuild" = "true" }
    report                = true
    metrics               = true
    connection            = "vpc"
    log_retention_days    = 7
    kms_key_arn           = "arn:aws:kms:us-east-1:123456789012:key/1234"
  }

  assert {
    condition = (
      aws_glue_job.this["extractor"].default_arguments["--universe"] == "s3://lake-123456789012/_config/universe.txt"
      && aws_glue_job.this["extractor"].default_arguments["--grain"] == "day"
      && aws_glue_job.this["extractor"].default_arguments["--requests-per-second"] == "5"
      && aws_glue_job.this["extractor"].default_arguments["--workers"] == "4"
    )
    error_message = "An argument of the extractor is missing."
  }
  assert {
    condition     = aws_glue_job.this["extractor"].default_arguments["--start"] == "2024-01-01"
    error_message = "A given argument doesn't replace the default one."
  }
  assert {
    condition = (
      aws_glue_job.this["transformer"].default_arguments["--catalog"] == "lake"
      && aws_glue_job.this["transformer"].default_arguments["--rebuild"] == "true"
      && aws_glue_job.this["transformer"].default_arguments["--report"] == "s3://lake-123456789012/_report"
      && !contains(keys(aws_glue_job.this["extractor"].default_arguments), "--report")
      && !contains(keys(aws_glue_job.this["transformer"].default_arguments), "--universe")
    )
    error_message = "The transformer lacks an argument or has one of the extractor's."
  }
  assert {
    condition     = aws_s3_object.universe.content == "AAPL\n^GSPC\n"
    error_message = "The universe doesn't have one ticker per line."
  }
  assert {
    condition     = alltrue([for job in aws_glue_job.this : job.default_arguments["--enable-metrics"] == "true" && job.connections == tolist(["vpc"])])
    error_message = "The metrics or the connection that were asked for are missing."
  }
  assert {
    condition     = alltrue([for group in aws_cloudwatch_log_group.this : group.retention_in_days == 7 && group.kms_key_id == var.kms_key_arn])
    error_message = "The logs have another retention or key."
  }
}

run "queueing_and_retries_exclude_each_other" {
  module {
    source = "./modules/glue"
  }

  command = plan

  variables {
    queueing = true
  }

  expect_failures = [aws_glue_job.this]
}

run "queueing_without_retries" {
  module {
    source = "./modules/glue"
  }

  command = plan

  variables {
    queueing    = true
    max_retries = 0
  }

  assert {
    condition     = alltrue([for job in aws_glue_job.this : job.job_run_queuing_enabled])
    error_message = "Job runs aren't queued."
  }
}
