mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  name             = "lake"
  region           = "us-east-1"
  bucket_arn       = "arn:aws:s3:::lake-123456789012"
  extractor_job    = "lake-extractor"
  transformer_job  = "lake-transformer"
  database         = "lake"
  starter          = "lake-starter"
  starter_dlq_arn  = "arn:aws:sqs:us-east-1:123456789012:lake-starter-dlq"
  schedule_dlq_arn = "arn:aws:sqs:us-east-1:123456789012:lake-extractor-dlq"
}

run "a_role_each" {
  assert {
    condition     = [for role in aws_iam_role.this : role.name] == ["lake-extractor", "lake-scheduler", "lake-starter", "lake-transformer"]
    error_message = "There is not one role each."
  }
}

run "no_wildcards" {
  assert {
    condition = alltrue([
      for statement in concat(
        data.aws_iam_policy_document.job.statement,
        data.aws_iam_policy_document.extractor.statement,
        data.aws_iam_policy_document.transformer.statement,
        data.aws_iam_policy_document.starter.statement,
        data.aws_iam_policy_document.scheduler.statement,
      ) : alltrue([for action in statement.actions : !strcontains(action, "*")])
    ])
    error_message = "An action has a wildcard."
  }
  assert {
    condition = [
      for statement in concat(
        data.aws_iam_policy_document.job.statement,
        data.aws_iam_policy_document.extractor.statement,
        data.aws_iam_policy_document.transformer.statement,
        data.aws_iam_policy_document.starter.statement,
        data.aws_iam_policy_document.scheduler.statement,
      ) : statement.sid if contains(statement.resources, "*")
    ] == ["Measure"]
    error_message = "Something but PutMetricData, which knows no resources, is allowed on all of them."
  }
}

run "each_job_is_started_by_its_own" {
  assert {
    condition     = one([for s in data.aws_iam_policy_document.scheduler.statement : s.resources if contains(s.actions, "glue:StartJobRun")]) == toset(["arn:aws:glue:us-east-1:123456789012:job/lake-extractor"])
    error_message = "The scheduler may start something but the extractor."
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.starter.statement : s.resources if contains(s.actions, "glue:StartJobRun")]) == toset(["arn:aws:glue:us-east-1:123456789012:job/lake-transformer"])
    error_message = "The starter may start something but the transformer."
  }
}

run "raw_is_append_only" {
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.extractor.statement : !contains(statement.actions, "s3:DeleteObject")
    ])
    error_message = "The extractor may delete."
  }
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.transformer.statement :
      alltrue([for resource in statement.resources : !strcontains(resource, "/raw/")])
      if contains(statement.actions, "s3:PutObject") || contains(statement.actions, "s3:DeleteObject")
    ])
    error_message = "The transformer may change raw."
  }
}

run "the_transformer_keeps_the_catalog_of_its_own_database" {
  assert {
    condition = one([
      for statement in data.aws_iam_policy_document.transformer.statement : [statement.actions, statement.resources] if statement.sid == "Catalog"
      ]) == [
      toset([
        "glue:BatchCreatePartition",
        "glue:BatchUpdatePartition",
        "glue:DeletePartition",
        "glue:GetPartitions",
        "glue:GetTable",
        "glue:UpdateTable",
      ]),
      toset([
        "arn:aws:glue:us-east-1:123456789012:catalog",
        "arn:aws:glue:us-east-1:123456789012:database/lake",
        "arn:aws:glue:us-east-1:123456789012:table/lake/*",
      ]),
    ]
    error_message = "The transformer may do other things in the catalog, or elsewhere in it."
  }
}
