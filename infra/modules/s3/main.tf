resource "aws_s3_bucket" "lake" {
  #checkov:skip=CKV_AWS_145:market data is no secret, and KMS bills every request to each of very many small objects; SSE-S3 encrypts them too
  #checkov:skip=CKV_AWS_144:raw can be fetched again and the rest is derived from it; a copy in a second region is the user's choice
  #checkov:skip=CKV_AWS_18:access logs would outgrow the lake; CloudTrail data events can be switched on when they are wanted
  bucket        = var.bucket
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_versioning" "lake" {
  bucket = aws_s3_bucket.lake.id

  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "lake" {
  bucket = aws_s3_bucket.lake.id

  rule {
    apply_server_side_encryption_by_default {
      sse_algorithm = "AES256"
    }
  }
}

resource "aws_s3_bucket_ownership_controls" "lake" {
  bucket = aws_s3_bucket.lake.id

  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_public_access_block" "lake" {
  bucket                  = aws_s3_bucket.lake.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

data "aws_iam_policy_document" "lake" {
  statement {
    sid       = "TlsOnly"
    effect    = "Deny"
    actions   = ["s3:*"]
    resources = [aws_s3_bucket.lake.arn, "${aws_s3_bucket.lake.arn}/*"]

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
  bucket = aws_s3_bucket.lake.id
  policy = data.aws_iam_policy_document.lake.json

  # S3 refuses two changes of a bucket's access at the same time
  depends_on = [aws_s3_bucket_public_access_block.lake]
}

resource "aws_s3_bucket_lifecycle_configuration" "lake" {
  bucket = aws_s3_bucket.lake.id

  rule {
    id     = "leftovers"
    status = "Enabled"

    filter {}

    noncurrent_version_expiration {
      noncurrent_days = var.noncurrent_days
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

  # a rule for noncurrent versions has no meaning before there are versions
  depends_on = [aws_s3_bucket_versioning.lake]
}

# A manifest is written last, so its arrival says that a run's data is complete.
resource "aws_s3_bucket_notification" "manifests" {
  bucket = aws_s3_bucket.lake.id

  lambda_function {
    id                  = "manifests"
    lambda_function_arn = var.starter_arn
    events              = ["s3:ObjectCreated:*"]
    filter_prefix       = "raw/_runs/"
    filter_suffix       = ".json"
  }
}
