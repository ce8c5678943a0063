data "aws_partition" "this" {}

locals {
  create = var.create ? 1 : 0
  bucket = var.create ? aws_s3_bucket.lake[0].bucket : data.aws_s3_bucket.existing[0].bucket
  arn    = var.create ? aws_s3_bucket.lake[0].arn : "arn:${data.aws_partition.this.partition}:s3:::${local.bucket}"
}

# An existing bucket keeps the settings that its owner gave it.
data "aws_s3_bucket" "existing" {
  count = var.create ? 0 : 1

  bucket = var.bucket
}

resource "aws_s3_bucket" "lake" {
  #checkov:skip=CKV_AWS_145:market data is no secret, so SSE-S3 is the default; kms_key_arn changes it
  #checkov:skip=CKV_AWS_144:raw can be fetched again and everything else is derived from it; a copy in a second region is the user's choice
  #checkov:skip=CKV2_AWS_62:it has a notification, which checkov doesn't find because the bucket may also be an existing one
  #checkov:skip=CKV_AWS_18:access logs would outgrow the lake; CloudTrail data events can be enabled when they are wanted
  count = local.create

  bucket        = var.bucket
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_versioning" "lake" {
  count = local.create

  bucket = aws_s3_bucket.lake[0].id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "lake" {
  count = local.create

  bucket = aws_s3_bucket.lake[0].id

  rule {
    # One request to KMS serves many small objects.
    bucket_key_enabled = var.kms_key_arn == null ? null : true

    apply_server_side_encryption_by_default {
      sse_algorithm     = var.kms_key_arn == null ? "AES256" : "aws:kms"
      kms_master_key_id = var.kms_key_arn
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "lake" {
  count = local.create

  bucket = aws_s3_bucket.lake[0].id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "lake" {
  count = local.create

  bucket                  = aws_s3_bucket.lake[0].id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

data "aws_iam_policy_document" "lake" {
  statement {
    sid       = "DenyAccessWithoutTls"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [local.arn, "${local.arn}/*"]

    principals {
      type        = "*"
      identifiers = ["*"]
    }

    condition {
      test     = "Bool"
      variable = "aws:SecureTransport"
      values   = ["false"]
    }
  }
}

resource "aws_s3_bucket_policy" "lake" {
  count = local.create

  bucket = aws_s3_bucket.lake[0].id
  policy = data.aws_iam_policy_document.lake.json

  # S3 refuses two changes of a bucket's access at the same time.
  depends_on = [aws_s3_bucket_public_access_block.lake]
}

resource "aws_s3_bucket_lifecycle_configuration" "lake" {
  count = local.create

  bucket = aws_s3_bucket.lake[0].id

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
    }

    # A delete marker outlives the versions that it hides, and slows down listings.
    expiration {
      expired_object_delete_marker = true
    }

    abort_incomplete_multipart_upload {
      days_after_initiation = 1
    }
  }

  rule {
    id     = "query-results"
    status = "Enabled"

    filter {
      prefix = "_athena/"
    }

    expiration {
      days = var.query_result_days
    }
  }

  # The starter's claims count for less than a minute.
  rule {
    id     = "claims"
    status = "Enabled"

    filter {
      prefix = "refined/_starts/"
    }

    expiration {
      days = 7
    }
  }

  # S3 takes a rule for noncurrent versions only in a versioned bucket.
  depends_on = [aws_s3_bucket_versioning.lake]
}

# A manifest is written last, so its arrival means that the run's data is complete.
resource "aws_s3_bucket_notification" "manifests" {
  bucket = local.bucket

  lambda_function {
    id                  = "manifests"
    lambda_function_arn = var.starter_arn
    events              = ["s3:ObjectCreated:*"]
    filter_prefix       = "raw/_runs/"
    filter_suffix       = ".json"
  }
}
