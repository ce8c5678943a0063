mock_provider "aws" {}

variables {
  name          = "lake"
  bucket        = "lake-123456789012"
  database      = "lake"
  grain         = "day"
  scan_limit_gb = 10
}

run "workgroup" {
  module {
    source = "./modules/athena"
  }

  assert {
    condition = (
      aws_athena_workgroup.this.configuration[0].enforce_workgroup_configuration
      && aws_athena_workgroup.this.configuration[0].bytes_scanned_cutoff_per_query == 10000000000
      && aws_athena_workgroup.this.configuration[0].result_configuration[0].output_location == "s3://lake-123456789012/_athena/"
      && aws_athena_workgroup.this.configuration[0].result_configuration[0].encryption_configuration[0].encryption_option == "SSE_S3"
    )
    error_message = "The workgroup doesn't enforce a limit and encryption."
  }
  assert {
    condition     = alltrue([for query in aws_athena_named_query.this : query.workgroup == "lake" && query.database == "lake"])
    error_message = "A saved query belongs to another workgroup or database."
  }
}

run "coarse_grain_lowest_limit_and_key" {
  module {
    source = "./modules/athena"
  }

  variables {
    grain         = "year"
    scan_limit_gb = 0.01
    kms_key_arn   = "arn:aws:kms:us-east-1:123456789012:key/1234"
  }

  assert {
    condition     = strcontains(aws_athena_named_query.this["latest"].query, "as varchar), 1, 4)")
    error_message = "The query compares a day with a year."
  }
  assert {
    condition     = aws_athena_workgroup.this.configuration[0].bytes_scanned_cutoff_per_query == 10485760
    error_message = "The limit is below the lowest that Athena accepts."
  }
  assert {
    condition     = aws_athena_workgroup.this.configuration[0].result_configuration[0].encryption_configuration[0] == { encryption_option = "SSE_KMS", kms_key_arn = var.kms_key_arn }
    error_message = "Results aren't encrypted with the key."
  }
}
