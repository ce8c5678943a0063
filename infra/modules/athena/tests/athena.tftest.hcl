mock_provider "aws" {}

variables {
  name     = "lake"
  bucket   = "lake-123456789012"
  database = "lake"
  grain    = "day"
}

run "workgroup" {
  assert {
    condition = (
      aws_athena_workgroup.this.configuration[0].enforce_workgroup_configuration
      && aws_athena_workgroup.this.configuration[0].bytes_scanned_cutoff_per_query == 10000000000
      && aws_athena_workgroup.this.configuration[0].result_configuration[0].output_location == "s3://lake-123456789012/_athena/"
      && aws_athena_workgroup.this.configuration[0].result_configuration[0].encryption_configuration[0].encryption_option == "SSE_S3"
    )
    error_message = "The workgroup is not limited, encrypted and enforced."
  }
  assert {
    condition     = alltrue([for query in aws_athena_named_query.this : query.workgroup == "lake" && query.database == "lake"])
    error_message = "A saved query is elsewhere."
  }
}

run "queries_cut_the_date_as_partitions_do" {
  variables {
    grain = "year"
  }

  assert {
    condition     = strcontains(aws_athena_named_query.this["latest"].query, "as varchar), 1, 4)")
    error_message = "The query compares a day with a year."
  }
}
