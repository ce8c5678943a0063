# The policies as the provider renders them. tests/infra/test_policies.py reads them from this plan.

provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true
}

variables {
  name   = "lake"
  region = "us-east-1"
  dist   = "tests/dist"
}

override_data {
  target = data.aws_caller_identity.this
  values = { account_id = "123456789012" }
}

override_data {
  target = module.iam.data.aws_caller_identity.this
  values = { account_id = "123456789012" }
}

override_data {
  target = module.lambda.data.aws_caller_identity.this
  values = { account_id = "123456789012" }
}

override_data {
  target = module.monitoring[0].data.aws_caller_identity.this
  values = { account_id = "123456789012" }
}

override_resource {
  target          = module.s3.aws_s3_bucket.lake
  override_during = plan
  values          = { arn = "arn:aws:s3:::lake-123456789012", id = "lake-123456789012" }
}

override_resource {
  target          = module.lambda.aws_sqs_queue.dlq
  override_during = plan
  values          = { arn = "arn:aws:sqs:us-east-1:123456789012:lake-starter-dlq" }
}

override_resource {
  target          = module.scheduler.aws_sqs_queue.dlq
  override_during = plan
  values          = { arn = "arn:aws:sqs:us-east-1:123456789012:lake-schedule-dlq" }
}

override_resource {
  target          = module.monitoring[0].aws_sqs_queue.failed_jobs
  override_during = plan
  values          = { arn = "arn:aws:sqs:us-east-1:123456789012:lake-failed-jobs-dlq" }
}

override_resource {
  target          = module.monitoring[0].aws_sns_topic.this
  override_during = plan
  values          = { arn = "arn:aws:sns:us-east-1:123456789012:lake-alarms" }
}

override_resource {
  target          = module.monitoring[0].aws_cloudwatch_event_rule.failed_jobs
  override_during = plan
  values          = { arn = "arn:aws:events:us-east-1:123456789012:rule/lake-failed-jobs" }
}

run "defaults" {
  command = plan

  assert {
    condition     = strcontains(module.iam.policies["starter"], "arn:aws:s3:::lake-123456789012/refined/_starts/*")
    error_message = "The policy isn't rendered."
  }
  assert {
    condition = (
      strcontains(module.iam.policies["scheduler"], ":lake-schedule-dlq")
      && !strcontains(module.iam.policies["scheduler"], ":lake-starter-dlq")
      && strcontains(module.iam.policies["starter"], ":lake-starter-dlq")
      && !strcontains(module.iam.policies["starter"], ":lake-schedule-dlq")
    )
    error_message = "A role may write to the other's dead-letter queue instead of its own."
  }
}

run "everything" {
  command = plan

  variables {
    glue_metrics             = true
    glue_connection          = "vpc"
    kms_key_arn              = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    iam_path                 = "/teams/data/"
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
    budget                   = 10
    report                   = true
  }

  assert {
    condition     = strcontains(module.iam.policies["starter"], "kms:GenerateDataKey")
    error_message = "The policy isn't rendered."
  }
}
