mock_provider "aws" {
  mock_data "aws_partition" {
    defaults = { partition = "aws" }
  }
  mock_data "aws_iam_policy_document" {
    defaults = { json = "{}" }
  }
}

variables {
  bucket            = "lake-123456789012"
  starter_arn       = "arn:aws:lambda:us-east-1:123456789012:function:lake-starter"
  noncurrent_days   = 7
  query_result_days = 3
}

run "new_bucket" {
  module {
    source = "./modules/s3"
  }

  assert {
    condition = alltrue([
      aws_s3_bucket_public_access_block.lake[0].block_public_acls,
      aws_s3_bucket_public_access_block.lake[0].block_public_policy,
      aws_s3_bucket_public_access_block.lake[0].ignore_public_acls,
      aws_s3_bucket_public_access_block.lake[0].restrict_public_buckets,
    ])
    error_message = "Public access isn't blocked."
  }
  assert {
    condition     = aws_s3_bucket_versioning.lake[0].versioning_configuration[0].status == "Enabled"
    error_message = "The bucket keeps no versions."
  }
  assert {
    condition     = one(one(aws_s3_bucket_server_side_encryption_configuration.lake[0].rule).apply_server_side_encryption_by_default).sse_algorithm == "AES256"
    error_message = "Objects aren't encrypted."
  }
  assert {
    condition = (
      data.aws_iam_policy_document.lake.statement[0].effect == "Deny"
      && one(data.aws_iam_policy_document.lake.statement[0].condition).variable == "aws:SecureTransport"
    )
    error_message = "Access without TLS isn't denied."
  }
  assert {
    condition = (
      data.aws_iam_policy_document.lake.statement[0].resources == toset([output.arn, "${output.arn}/*"])
      && data.aws_iam_policy_document.lake.statement[0].actions == toset(["s3:*"])
      && one(data.aws_iam_policy_document.lake.statement[0].condition).values == tolist(["false"])
      && one(data.aws_iam_policy_document.lake.statement[0].principals).identifiers == toset(["*"])
    )
    error_message = "Some access without TLS is allowed, or access with it is denied."
  }
  assert {
    condition     = one(aws_s3_bucket_notification.manifests.lambda_function).events == toset(["s3:ObjectCreated:*"])
    error_message = "The arrival of a manifest doesn't invoke the starter."
  }
  assert {
    condition     = !aws_s3_bucket.lake[0].force_destroy
    error_message = "`terraform destroy` would delete the data."
  }
  assert {
    condition = (
      one(aws_s3_bucket_notification.manifests.lambda_function).filter_prefix == "raw/_runs/"
      && one(aws_s3_bucket_notification.manifests.lambda_function).filter_suffix == ".json"
      && one(aws_s3_bucket_notification.manifests.lambda_function).lambda_function_arn == var.starter_arn
    )
    error_message = "Something other than the arrival of a manifest invokes the starter."
  }
  assert {
    condition = [
      for rule in aws_s3_bucket_lifecycle_configuration.lake[0].rule : rule.id
      if length([for expiration in rule.expiration : expiration if coalesce(expiration.days, 0) > 0]) > 0
    ] == ["query-results", "claims"]
    error_message = "Something other than query results and the starter's claims expires."
  }
  assert {
    condition = (
      aws_s3_bucket_lifecycle_configuration.lake[0].rule[0].noncurrent_version_expiration[0].noncurrent_days == 7
      && aws_s3_bucket_lifecycle_configuration.lake[0].rule[0].abort_incomplete_multipart_upload[0].days_after_initiation == 1
      && aws_s3_bucket_lifecycle_configuration.lake[0].rule[0].expiration[0].expired_object_delete_marker
      && aws_s3_bucket_lifecycle_configuration.lake[0].rule[1].filter[0].prefix == "_athena/"
      && aws_s3_bucket_lifecycle_configuration.lake[0].rule[1].expiration[0].days == 3
      && aws_s3_bucket_lifecycle_configuration.lake[0].rule[2].filter[0].prefix == "refined/_starts/"
      && aws_s3_bucket_lifecycle_configuration.lake[0].rule[2].expiration[0].days == 7
    )
    error_message = "Old versions, unfinished uploads, delete markers, query results or claims stay longer than they should."
  }
}

run "with_a_key" {
  module {
    source = "./modules/s3"
  }

  variables {
    kms_key_arn = "arn:aws:kms:us-east-1:123456789012:key/1234"
  }

  assert {
    condition = (
      one(one(aws_s3_bucket_server_side_encryption_configuration.lake[0].rule).apply_server_side_encryption_by_default).kms_master_key_id == var.kms_key_arn
      && one(aws_s3_bucket_server_side_encryption_configuration.lake[0].rule).bucket_key_enabled
    )
    error_message = "Objects aren't encrypted with the key, or every request is billed by KMS."
  }
}

run "existing_bucket" {
  module {
    source = "./modules/s3"
  }

  variables {
    bucket = "company-data"
    create = false
  }

  assert {
    condition     = length(aws_s3_bucket.lake) + length(aws_s3_bucket_policy.lake) + length(aws_s3_bucket_lifecycle_configuration.lake) == 0
    error_message = "The existing bucket's settings would change."
  }
  assert {
    condition     = output.bucket == "company-data" && output.arn == "arn:aws:s3:::company-data" && aws_s3_bucket_notification.manifests.bucket == "company-data"
    error_message = "The existing bucket isn't used."
  }
}
