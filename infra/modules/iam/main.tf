data "aws_caller_identity" "this" {}

data "aws_partition" "this" {}

locals {
  account   = data.aws_caller_identity.this.account_id
  partition = data.aws_partition.this.partition
  glue      = "arn:${local.partition}:glue:${var.region}:${local.account}"
  logs      = "arn:${local.partition}:logs:${var.region}:${local.account}:log-group"

  # Glue checks the catalog and the database, too, for every call about a table.
  catalog = [
    "${local.glue}:catalog",
    "${local.glue}:database/${var.database}",
    "${local.glue}:table/${var.database}/*",
  ]

  scheduled_job_arns  = [for job in [var.extractor_job, var.compactor_job] : "${local.glue}:job/${job}"]
  transformer_job_arn = "${local.glue}:job/${var.transformer_job}"

  services = {
    extractor   = "glue.amazonaws.com"
    transformer = "glue.amazonaws.com"
    compactor   = "glue.amazonaws.com"
    starter     = "lambda.amazonaws.com"
    scheduler   = "scheduler.amazonaws.com"
  }

  policies = {
    extractor   = data.aws_iam_policy_document.extractor.json
    transformer = data.aws_iam_policy_document.transformer.json
    compactor   = data.aws_iam_policy_document.compactor.json
    starter     = data.aws_iam_policy_document.starter.json
    scheduler   = data.aws_iam_policy_document.scheduler.json
  }
}

data "aws_iam_policy_document" "trust" {
  for_each = local.services

  statement {
    sid     = "LetTheServiceAssumeTheRole"
    actions = ["sts:AssumeRole"]

    principals {
      type        = "Service"
      identifiers = [each.value]
    }

    # Only Scheduler says for which account it assumes a role. The roles of jobs and functions can be
    # passed only by principals of this account.
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

  name                 = "${var.name}-${each.key}"
  path                 = var.path
  description          = "Role of the ${each.key} of ${var.name}."
  assume_role_policy   = data.aws_iam_policy_document.trust[each.key].json
  permissions_boundary = var.permissions_boundary_arn
}

resource "aws_iam_role_policy" "this" {
  for_each = local.policies

  name   = each.key
  role   = aws_iam_role.this[each.key].id
  policy = each.value
}

# The key of the bucket and the queues, for everybody who reads or writes them.
data "aws_iam_policy_document" "key" {
  dynamic "statement" {
    for_each = var.kms_key_arn[*]

    content {
      sid       = "EncryptAndDecryptWithTheKey"
      actions   = ["kms:Decrypt", "kms:GenerateDataKey"]
      resources = [statement.value]
    }
  }
}

# What all Glue jobs need.
data "aws_iam_policy_document" "job" {
  source_policy_documents = [data.aws_iam_policy_document.key.json]

  statement {
    sid       = "ReadScriptsPackagesAndSettings"
    actions   = ["s3:GetObject"]
    resources = ["${var.bucket_arn}/_artifacts/*", "${var.bucket_arn}/_config/*"]
  }

  statement {
    sid       = "ListTheBucket"
    actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
    resources = [var.bucket_arn]
  }

  # Terraform creates the groups; Glue creates them again if somebody has deleted them.
  statement {
    sid       = "WriteJobLogs"
    actions   = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.logs}:${var.job_logs}/*"]
  }

  # PutMetricData can be limited to a namespace, but not to a resource.
  dynamic "statement" {
    for_each = var.job_metrics ? [1] : []

    content {
      sid       = "PublishGlueMetrics"
      actions   = ["cloudwatch:PutMetricData"]
      resources = ["*"]

      condition {
        test     = "StringEquals"
        variable = "cloudwatch:namespace"
        values   = ["Glue"]
      }
    }
  }

  # From here on: what AWS's managed policy AWSGlueServiceRole allows for a job in a VPC.
  dynamic "statement" {
    for_each = var.connection[*]

    content {
      sid       = "ReadTheConnection"
      actions   = ["glue:GetConnection"]
      resources = ["${local.glue}:catalog", "${local.glue}:connection/${statement.value}"]
    }
  }

  dynamic "statement" {
    for_each = var.connection[*]

    content {
      sid = "DescribeNetworks"
      actions = [
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeRouteTables",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcEndpoints",
      ]
      resources = ["*"]
    }
  }

  # A shared subnet belongs to another account.
  dynamic "statement" {
    for_each = var.connection[*]

    content {
      sid     = "JoinTheVpc"
      actions = ["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface", "ec2:DescribeVpcAttribute"]
      resources = [
        for kind in ["network-interface", "security-group", "subnet", "vpc"] :
        "arn:${local.partition}:ec2:${var.region}:*:${kind}/*"
      ]
    }
  }

  dynamic "statement" {
    for_each = var.connection[*]

    content {
      sid     = "TagNetworkInterfaces"
      actions = ["ec2:CreateTags", "ec2:DeleteTags"]
      resources = [
        for kind in ["instance", "network-interface", "security-group"] :
        "arn:${local.partition}:ec2:${var.region}:*:${kind}/*"
      ]

      condition {
        test     = "ForAllValues:StringEquals"
        variable = "aws:TagKeys"
        values   = ["aws-glue-service-resource"]
      }
    }
  }
}

data "aws_iam_policy_document" "extractor" {
  source_policy_documents = [data.aws_iam_policy_document.job.json]

  # It can't delete: raw and quarantine are append-only.
  statement {
    sid     = "AppendToRawAndQuarantine"
    actions = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
    resources = [
      "${var.bucket_arn}/_lake.json",
      "${var.bucket_arn}/raw/*",
      "${var.bucket_arn}/quarantine/*",
    ]
  }

  # They say what the lake already holds.
  statement {
    sid     = "ReadHistoryAndReceipts"
    actions = ["s3:GetObject"]
    resources = [
      for name in ["history/*", "refined/_runs/*", "refined/_behind/*", "refined/_index.json", "_log/*"] :
      "${var.bucket_arn}/${name}"
    ]
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
    sid     = "WriteHistoryAndRefined"
    actions = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
    resources = concat(
      [for folder in ["history/*", "refined/*", "tickers/*", "_log/*"] : "${var.bucket_arn}/${folder}"],
      var.report ? ["${var.bucket_arn}/_report/*"] : [],
    )
  }

  # Manifests that the checkpoint has; copies of them are in _log/runs/.
  statement {
    sid       = "RemoveManifestsOfTheCheckpoint"
    actions   = ["s3:DeleteObject"]
    resources = ["${var.bucket_arn}/raw/_runs/*"]
  }

  statement {
    sid = "MaintainPartitions"
    actions = [
      "glue:GetTable",
      "glue:GetTables",
      "glue:CreateTable",
      "glue:UpdateTable",
      "glue:GetPartitions",
      "glue:BatchCreatePartition",
      "glue:BatchUpdatePartition",
      "glue:DeletePartition",
    ]
    resources = local.catalog
  }
}

data "aws_iam_policy_document" "compactor" {
  source_policy_documents = [data.aws_iam_policy_document.job.json]

  statement {
    sid       = "ReadRawAndTheCheckpoint"
    actions   = ["s3:GetObject"]
    resources = [for name in ["_lake.json", "raw/*", "_log/*"] : "${var.bucket_arn}/${name}"]
  }

  statement {
    sid       = "WritePacks"
    actions   = ["s3:PutObject"]
    resources = ["${var.bucket_arn}/raw/date=*/ticker=*/pack.parquet"]
  }

  # Nobody else may delete in raw, and it only deletes what it has read in a pack. Manifests are out of
  # its reach.
  statement {
    sid       = "DeleteBlobsThatPacksHave"
    actions   = ["s3:DeleteObject"]
    resources = ["${var.bucket_arn}/raw/date=*/ticker=*/*.parquet"]
  }
}

data "aws_iam_policy_document" "starter" {
  source_policy_documents = [data.aws_iam_policy_document.key.json]

  statement {
    sid       = "StartTheTransformer"
    actions   = ["glue:StartJobRun", "glue:GetJobRuns"]
    resources = [local.transformer_job_arn]
  }

  statement {
    sid       = "FindReceiptsAndClaims"
    actions   = ["s3:ListBucket"]
    resources = [var.bucket_arn]

    condition {
      test     = "StringLike"
      variable = "s3:prefix"
      values   = ["refined/_runs/*", "refined/_starts/*"]
    }
  }

  # A claim is put on condition that it doesn't exist, so that only one of two deliveries of an event
  # starts a job run.
  statement {
    sid       = "ClaimRuns"
    actions   = ["s3:GetObject", "s3:PutObject"]
    resources = ["${var.bucket_arn}/refined/_starts/*"]
  }

  statement {
    sid       = "SendToTheDeadLetterQueue"
    actions   = ["sqs:SendMessage"]
    resources = [var.starter_dlq_arn]
  }

  statement {
    sid       = "WriteTheStartersLog"
    actions   = ["logs:CreateLogStream", "logs:PutLogEvents"]
    resources = ["${local.logs}:/aws/lambda/${var.starter}:*"]
  }
}

data "aws_iam_policy_document" "scheduler" {
  source_policy_documents = [data.aws_iam_policy_document.key.json]

  statement {
    sid       = "StartTheExtractorAndTheCompactor"
    actions   = ["glue:StartJobRun"]
    resources = local.scheduled_job_arns
  }

  statement {
    sid       = "SendToTheDeadLetterQueue"
    actions   = ["sqs:SendMessage"]
    resources = [var.schedule_dlq_arn]
  }
}

# For people and programs that query and change nothing. Nobody has it until somebody attaches it.
data "aws_iam_policy_document" "reader" {
  source_policy_documents = [data.aws_iam_policy_document.key.json]

  statement {
    sid       = "ReadTheLake"
    actions   = ["s3:GetObject"]
    resources = [for folder in ["_lake.json", "raw/*", "quarantine/*", "history/*", "refined/*", "tickers/*", "_log/*"] : "${var.bucket_arn}/${folder}"]
  }

  statement {
    sid       = "ListTheBucket"
    actions   = ["s3:ListBucket", "s3:GetBucketLocation"]
    resources = [var.bucket_arn]
  }

  statement {
    sid = "QueryInTheWorkgroup"
    actions = [
      "athena:BatchGetNamedQuery",
      "athena:GetNamedQuery",
      "athena:GetQueryExecution",
      "athena:GetQueryResults",
      "athena:GetWorkGroup",
      "athena:ListNamedQueries",
      "athena:StartQueryExecution",
      "athena:StopQueryExecution",
    ]
    resources = ["arn:${local.partition}:athena:${var.region}:${local.account}:workgroup/${var.workgroup}"]
  }

  # The console and drivers ask for these lists before the first query. Athena can't limit them.
  statement {
    sid       = "ListWorkgroupsAndCatalogs"
    actions   = ["athena:ListDataCatalogs", "athena:ListWorkGroups"]
    resources = ["*"]
  }

  statement {
    sid       = "DescribeTheDataCatalog"
    actions   = ["athena:GetDataCatalog"]
    resources = ["arn:${local.partition}:athena:${var.region}:${local.account}:datacatalog/AwsDataCatalog"]
  }

  # Athena stores results with the permissions of whoever asks.
  statement {
    sid       = "StoreQueryResults"
    actions   = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]
    resources = ["${var.bucket_arn}/_athena/*"]
  }

  statement {
    sid = "ReadTheCatalog"
    actions = [
      "glue:BatchGetPartition",
      "glue:GetDatabase",
      "glue:GetDatabases",
      "glue:GetPartition",
      "glue:GetPartitions",
      "glue:GetTable",
      "glue:GetTables",
    ]
    # Athena looks at the database `default`, too, whichever one a query names.
    resources = concat(local.catalog, ["${local.glue}:database/default"])
  }
}

resource "aws_iam_policy" "reader" {
  name        = "${var.name}-reader"
  path        = var.path
  description = "Query ${var.name} and change nothing."
  policy      = data.aws_iam_policy_document.reader.json
}
