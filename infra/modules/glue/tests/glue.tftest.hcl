mock_provider "aws" {}

variables {
  name                 = "lake"
  bucket               = "lake-123456789012"
  dist                 = "../../tests/dist"
  extractor_role_arn   = "arn:aws:iam::123456789012:role/lake-extractor"
  transformer_role_arn = "arn:aws:iam::123456789012:role/lake-transformer"
  database             = "lake"
  tickers              = ["AAPL", "^GSPC"]
  start                = "2020-01-01"
  grain                = "day"
  requests_per_second  = 5
}

run "jobs" {
  assert {
    condition = alltrue([
      for job in aws_glue_job.this : alltrue([
        job.glue_version == "6.0",
        job.command[0].name == "glueetl",
        job.job_run_queuing_enabled,
        job.worker_type == "G.1X" && job.number_of_workers == 2,
        job.timeout == 120 && job.max_retries == 1,
        job.default_arguments["--lake"] == "s3://lake-123456789012",
        job.default_arguments["--python-modules-installer-option"] == "-r",
        endswith(job.default_arguments["--additional-python-modules"], "/glue-requirements.txt"),
        endswith(job.default_arguments["--extra-py-files"], "/tickerlake.zip"),
      ])
    ])
    error_message = "A job is not as both should be."
  }
  assert {
    condition = (
      aws_glue_job.this["extractor"].role_arn == var.extractor_role_arn
      && aws_glue_job.this["transformer"].role_arn == var.transformer_role_arn
    )
    error_message = "A job has the other's role."
  }
}

run "arguments" {
  variables {
    extractor_arguments   = { "--workers" = "4", "--start" = "2024-01-01" }
    transformer_arguments = { "--rebuild" = "true" }
  }

  assert {
    condition = (
      aws_glue_job.this["extractor"].default_arguments["--universe"] == "s3://lake-123456789012/_config/universe.txt"
      && aws_glue_job.this["extractor"].default_arguments["--grain"] == "day"
      && aws_glue_job.this["extractor"].default_arguments["--requests-per-second"] == "5"
      && aws_glue_job.this["extractor"].default_arguments["--workers"] == "4"
    )
    error_message = "The extractor's arguments are not complete."
  }
  assert {
    condition     = aws_glue_job.this["extractor"].default_arguments["--start"] == "2024-01-01"
    error_message = "A given argument does not replace the default one."
  }
  assert {
    condition = (
      aws_glue_job.this["transformer"].default_arguments["--catalog"] == "lake"
      && aws_glue_job.this["transformer"].default_arguments["--rebuild"] == "true"
      && !contains(keys(aws_glue_job.this["transformer"].default_arguments), "--universe")
    )
    error_message = "The transformer's arguments are not its own."
  }
  assert {
    condition     = aws_s3_object.universe.content == "AAPL\n^GSPC\n"
    error_message = "The universe is not one symbol a line."
  }
}

run "a_new_version_is_a_new_object" {
  assert {
    condition = aws_glue_job.this["extractor"].command[0].script_location == join("", [
      "s3://lake-123456789012/_artifacts/",
      substr(filesha256("../../tests/dist/glue_extractor_job.py"), 0, 16),
      "/glue_extractor_job.py",
    ])
    error_message = "The script's key does not hold its hash."
  }
}
