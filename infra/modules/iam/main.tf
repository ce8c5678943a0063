data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  glue      = "arn:${local.partition}:glue:${var.region}:${local.account}"
  logs      = "arn:${local.partition}:logs:${var.region}:${local.account}:log-group"

  extractor_job_arn   = "${local.glue}:job/${var.extractor_job}"
  transformer_job_arn = "${local.glue}:job/${var.transformer_job}"

  services = {
    extractor   = "glue.amazonaws.com"
    transformer = "glue.amazonaws.com"
    starter     = "lambda.amazonaws.com"
    scheduler   = "scheduler.amazonaws.com"
  }

  policies = {
    extractor   = data.aws_iam_policy_document.extractor.json
    transformer = data.aws_iam_policy_document.transformer.json
    starter     = data.aws_iam_policy_document.starter.json
    scheduler   = data.aws_iam_policy_document.scheduler.json
  }
}

data "aws_iam_policy_document" "trust" {
  for_each = local.services

  statement {
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value]
    }

    # Only Scheduler says for whom it assumes a role when it does; a job's or a function's role
    # can be passed by principals of this account alone.
    dynamic "condition" {
      for_each = each.key == "scheduler" ? [1] : []

      content {
        test     = "StringEquals"
        variable = "aws:SourceAccount"
        values   = [local.account]
      }
    }
  }
}

resource "aws_iam_role" "this" {
  for_each = local.services

  name               = "${var.name}-${each.key}"
  description        = "The ${each.key} of ${var.name}."
  assume_role_policy = data.aws_iam_policy_document.trust[each.key].json
}

resource "aws_iam_role_policy" "this" {
  for_each = local.policies

  name   = each.key
  role   = aws_iam_role.this[each.key].id
  policy = each.value
}

# What every Glue job of ours needs.
data "aws_iam_policy_document" "job" {
  statement {
    sid       = "ReadItself"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arn}/_artifacts/*", "${var.bucket_arn}/_config/*"]
  }

  # the bucket is the lake: a listing tells no more than the objects, which each job is kept to
  statement {
    sid       = "List"
    actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
    resources = [var.bucket_arn]
  }

  # Glue jobs of an account share these groups
  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.logs}:/aws-glue/*"]
  }

  # PutMetricData knows no resources, only namespaces
  statement {
    sid       = "Measure"
    actions   = ["cloudwatch:PutMetricData"]
    resources = ["*"]

    condition {
      test     = "StringEquals"
      variable = "cloudwatch:namespace"
      values   = ["Glue"]
    }
  }
}

data "aws_iam_policy_document" "extractor" {
  source_policy_documents = [data.aws_iam_policy_document.job.json]

  # nothing is deleted here: raw and quarantine are append-only
  statement {
    sid     = "WriteRaw"
    actions = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
    resources = [
      "${var.bucket_arn}/_lake.json",
      "${var.bucket_arn}/raw/*",
      "${var.bucket_arn}/quarantine/*",
    ]
  }

  # to know what is held already
  statement {
    sid       = "ReadHeld"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arn}/history/*", "${var.bucket_arn}/refined/_runs/*"]
  }
}

data "aws_iam_policy_document" "transformer" {
  source_policy_documents = [data.aws_iam_policy_document.job.json]

  statement {
    sid       = "ReadRaw"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arn}/_lake.json", "${var.bucket_arn}/raw/*"]
  }

  statement {
    sid       = "WriteDerived"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = ["${var.bucket_arn}/history/*", "${var.bucket_arn}/refined/*"]
  }

  # Glue checks the catalog and the database too, whatever is done to a table
  statement {
    sid = "Catalog"
    actions = [
      "glue:GetTable",
      "glue:UpdateTable",
      "glue:GetPartitions",
      "glue:BatchCreatePartition",
      "glue:BatchUpdatePartition",
      "glue:DeletePartition",
    ]
    resources = [
      "${local.glue}:catalog",
      "${local.glue}:database/${var.database}",
      "${local.glue}:table/${var.database}/*",
    ]
  }
}

data "aws_iam_policy_document" "starter" {
  statement {
    sid       = "StartTransformer"
    actions   = ["glue:StartJobRun", "glue:GetJobRuns"]
    resources = [local.transformer_job_arn]
  }

  statement {
    sid       = "LookForReceipts"
    actions   = ["s3:ListBucket"]
    resources = [var.bucket_arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["refined/_runs/*"]
    }
  }

  statement {
    sid       = "GiveUp"
    actions   = ["sqs:SendMessage"]
    resources = [var.starter_dlq_arn]
  }

  statement {
    sid       = "Log"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.logs}:/aws/lambda/${var.starter}:*"]
  }
}

data "aws_iam_policy_document" "scheduler" {
  statement {
    sid       = "StartExtractor"
    actions   = ["glue:StartJobRun"]
    resources = [local.extractor_job_arn]
  }

  statement {
    sid       = "GiveUp"
    actions   = ["sqs:SendMessage"]
    resources = [var.schedule_dlq_arn]
  }
}
