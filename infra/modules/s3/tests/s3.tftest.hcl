mock_provider "aws" {
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  bucket      = "lake-123456789012"
  starter_arn = "arn:aws:lambda:us-east-1:123456789012:function:lake-starter"
}

run "private_encrypted_versioned" {
  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.lake.block_public_acls,
      aws_s3_bucket_public_access_block.lake.block_public_policy,
      aws_s3_bucket_public_access_block.lake.ignore_public_acls,
      aws_s3_bucket_public_access_block.lake.restrict_public_buckets,
    ])
    error_message = "Public access is not blocked."
  }
  assert {
    condition     = aws_s3_bucket_versioning.lake.versioning_configuration[0].status == "Enabled"
    error_message = "There are no versions."
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.lake.rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "Objects are not encrypted."
  }
  assert {
    condition = (
      data.aws_iam_policy_document.lake.statement[0].effect == "Deny"
      && one(data.aws_iam_policy_document.lake.statement[0].condition).variable == "aws:SecureTransport"
    )
    error_message = "Access without TLS is not denied."
  }
  assert {
    condition     = !aws_s3_bucket.lake.force_destroy
    error_message = "A destroy would take the data with it."
  }
}

run "manifests_and_nothing_else_start_the_starter" {
  assert {
    condition = (
      one(aws_s3_bucket_notification.manifests.lambda_function).filter_prefix == "raw/_runs/"
      && one(aws_s3_bucket_notification.manifests.lambda_function).filter_suffix == ".json"
      && one(aws_s3_bucket_notification.manifests.lambda_function).lambda_function_arn == var.starter_arn
    )
    error_message = "The notification is not that of manifests."
  }
}

run "leftovers_expire_and_data_does_not" {
  variables {
    noncurrent_days   = 7
    query_result_days = 3
  }

  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.lake.rule : rule.id
      if length(rule.expiration) > 0 && rule.filter[0].prefix != "_athena/"
    ] == []
    error_message = "Something but query results expires."
  }
  assert {
    condition = (
      aws_s3_bucket_lifecycle_configuration.lake.rule[0].noncurrent_version_expiration[0].noncurrent_days == 7
      && aws_s3_bucket_lifecycle_configuration.lake.rule[0].abort_incomplete_multipart_upload[0].days_after_initiation == 1
      && aws_s3_bucket_lifecycle_configuration.lake.rule[1].expiration[0].days == 3
    )
    error_message = "Leftovers stay longer than asked for."
  }
}
