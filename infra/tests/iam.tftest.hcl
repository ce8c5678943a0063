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
  compactor_job    = "lake-compactor"
  job_logs         = "/aws-glue/lake"
  database         = "lake"
  workgroup        = "lake"
  starter          = "lake-starter"
  starter_dlq_arn  = "arn:aws:sqs:us-east-1:123456789012:lake-starter-dlq"
  schedule_dlq_arn = "arn:aws:sqs:us-east-1:123456789012:lake-schedule-dlq"
}

run "roles" {
  module {
    source = "./modules/iam"
  }

  assert {
    condition     = [for role in aws_iam_role.this : role.name] == ["lake-compactor", "lake-extractor", "lake-scheduler", "lake-starter", "lake-transformer"]
    error_message = "The extractor, the transformer, the compactor, the starter and the scheduler must have a role each."
  }
  assert {
    condition     = alltrue([for role in aws_iam_role.this : role.path == "/" && role.permissions_boundary == null])
    error_message = "A role has a path or a boundary that nobody asked for."
  }
  assert {
    condition = [
      for statement in concat(
        data.aws_iam_policy_document.key.statement,
        data.aws_iam_policy_document.job.statement,
        data.aws_iam_policy_document.extractor.statement,
        data.aws_iam_policy_document.transformer.statement,
        data.aws_iam_policy_document.compactor.statement,
        data.aws_iam_policy_document.starter.statement,
        data.aws_iam_policy_document.scheduler.statement,
        data.aws_iam_policy_document.reader.statement,
      ) : statement.sid if contains(statement.resources, "*") || anytrue([for action in statement.actions : strcontains(action, "*")])
    ] == ["ListWorkgroupsAndCatalogs"]
    error_message = "A statement other than a reader's lists allows actions on all resources, or actions with a wildcard."
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.scheduler.statement : s.resources if contains(s.actions, "glue:StartJobRun")]) == toset(["arn:aws:glue:us-east-1:123456789012:job/lake-extractor", "arn:aws:glue:us-east-1:123456789012:job/lake-compactor"])
    error_message = "The scheduler may start something other than the extractor and the compactor."
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.starter.statement : s.resources if contains(s.actions, "glue:StartJobRun")]) == toset(["arn:aws:glue:us-east-1:123456789012:job/lake-transformer"])
    error_message = "The starter may start something other than the transformer."
  }
  assert {
    condition     = [for s in data.aws_iam_policy_document.starter.statement : s.resources if contains(s.actions, "s3:PutObject")] == [toset(["arn:aws:s3:::lake-123456789012/refined/_starts/*"])]
    error_message = "The starter must be able to put claims, and nothing else."
  }
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.extractor.statement : !contains(statement.actions, "s3:DeleteObject")
    ])
    error_message = "The extractor may delete, but raw is append-only."
  }
  assert {
    condition = alltrue([
      for statement in data.aws_iam_policy_document.transformer.statement :
      alltrue([for resource in statement.resources : !strcontains(resource, "/raw/")])
      if contains(statement.actions, "s3:PutObject")
    ])
    error_message = "The transformer may write raw, which is append-only."
  }
  assert {
    condition = flatten([
      for statement in data.aws_iam_policy_document.transformer.statement :
      [for resource in statement.resources : resource if strcontains(resource, "/raw/")]
      if contains(statement.actions, "s3:DeleteObject")
    ]) == ["arn:aws:s3:::lake-123456789012/raw/_runs/*"]
    error_message = "In raw, the transformer may delete only manifests, of which the checkpoint's archive has copies."
  }
  assert {
    condition = one([for s in data.aws_iam_policy_document.transformer.statement : s.resources if s.sid == "MaintainPartitions"]) == toset([
      "arn:aws:glue:us-east-1:123456789012:catalog",
      "arn:aws:glue:us-east-1:123456789012:database/lake",
      "arn:aws:glue:us-east-1:123456789012:table/lake/*",
    ])
    error_message = "The transformer may change another database."
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.job.statement : s.resources if s.sid == "WriteJobLogs"]) == toset(["arn:aws:logs:us-east-1:123456789012:log-group:/aws-glue/lake/*"])
    error_message = "The jobs may write other log groups than their own, or not their own."
  }
  assert {
    condition = [
      for s in data.aws_iam_policy_document.reader.statement : s.resources
      if contains(s.actions, "s3:PutObject") || contains(s.actions, "s3:DeleteObject")
    ] == [toset(["arn:aws:s3:::lake-123456789012/_athena/*"])]
    error_message = "A reader may change more than query results."
  }
}

# What is missing here is missing when the lake runs: emulators of AWS permit everything.
run "what_each_role_needs" {
  module {
    source = "./modules/iam"
  }

  assert {
    condition = { for key, document in data.aws_iam_policy_document.trust : key => one(one(document.statement).principals).identifiers } == {
      compactor   = toset(["glue.amazonaws.com"])
      extractor   = toset(["glue.amazonaws.com"])
      transformer = toset(["glue.amazonaws.com"])
      starter     = toset(["lambda.amazonaws.com"])
      scheduler   = toset(["scheduler.amazonaws.com"])
    }
    error_message = "A role isn't for the service that assumes it."
  }
  assert {
    condition     = alltrue([for document in data.aws_iam_policy_document.trust : one(document.statement).actions == toset(["sts:AssumeRole"])])
    error_message = "A role can't be assumed."
  }
  assert {
    condition = { for key, policy in aws_iam_role_policy.this : key => policy.role } == {
      for key, role in aws_iam_role.this : key => role.id
    }
    error_message = "A role has another role's policy, or none."
  }
  assert {
    condition = { for s in data.aws_iam_policy_document.job.statement : s.sid => [s.actions, s.resources] } == {
      ReadScriptsPackagesAndSettings = [toset(["s3:GetObject"]), toset(["${var.bucket_arn}/_artifacts/*", "${var.bucket_arn}/_config/*"])]
      ListTheBucket                  = [toset(["s3:ListBucket", "s3:GetBucketLocation"]), toset([var.bucket_arn])]
      WriteJobLogs                   = [toset(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]), toset(["arn:aws:logs:us-east-1:123456789012:log-group:/aws-glue/lake/*"])]
    }
    error_message = "A job can't read its code, list the lake or write its log."
  }
  assert {
    condition = { for s in data.aws_iam_policy_document.extractor.statement : s.sid => [s.actions, s.resources] } == {
      AppendToRawAndQuarantine = [toset(["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"]), toset(["${var.bucket_arn}/_lake.json", "${var.bucket_arn}/raw/*", "${var.bucket_arn}/quarantine/*"])]
      ReadHistoryAndReceipts   = [toset(["s3:GetObject"]), toset([for name in ["history/*", "refined/_runs/*", "refined/_behind/*", "refined/_index.json", "_log/*"] : "${var.bucket_arn}/${name}"])]
    }
    error_message = "The extractor can't do its work, or can do more."
  }
  assert {
    condition = { for s in data.aws_iam_policy_document.transformer.statement : s.sid => [s.actions, s.resources] } == {
      ReadRaw                        = [toset(["s3:GetObject"]), toset(["${var.bucket_arn}/_lake.json", "${var.bucket_arn}/raw/*"])]
      WriteHistoryAndRefined         = [toset(["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]), toset(["${var.bucket_arn}/history/*", "${var.bucket_arn}/refined/*", "${var.bucket_arn}/tickers/*", "${var.bucket_arn}/_log/*"])]
      RemoveManifestsOfTheCheckpoint = [toset(["s3:DeleteObject"]), toset(["${var.bucket_arn}/raw/_runs/*"])]
      MaintainPartitions = [
        toset(["glue:GetTable", "glue:GetTables", "glue:CreateTable", "glue:UpdateTable", "glue:GetPartitions", "glue:BatchCreatePartition", "glue:BatchUpdatePartition", "glue:DeletePartition"]),
        toset(["arn:aws:glue:us-east-1:123456789012:catalog", "arn:aws:glue:us-east-1:123456789012:database/lake", "arn:aws:glue:us-east-1:123456789012:table/lake/*"]),
      ]
    }
    error_message = "The transformer can't do its work, or can do more."
  }
  assert {
    condition = { for s in data.aws_iam_policy_document.compactor.statement : s.sid => [s.actions, s.resources] } == {
      ReadRawAndTheCheckpoint  = [toset(["s3:GetObject"]), toset([for name in ["_lake.json", "raw/*", "_log/*"] : "${var.bucket_arn}/${name}"])]
      WritePacks               = [toset(["s3:PutObject"]), toset(["${var.bucket_arn}/raw/date=*/ticker=*/pack.parquet"])]
      DeleteBlobsThatPacksHave = [toset(["s3:DeleteObject"]), toset(["${var.bucket_arn}/raw/date=*/ticker=*/*.parquet"])]
    }
    error_message = "The compactor can't do its work, or can do more."
  }
  assert {
    condition = { for s in data.aws_iam_policy_document.starter.statement : s.sid => [s.actions, s.resources] } == {
      StartTheTransformer      = [toset(["glue:StartJobRun", "glue:GetJobRuns"]), toset(["arn:aws:glue:us-east-1:123456789012:job/lake-transformer"])]
      FindReceiptsAndClaims    = [toset(["s3:ListBucket"]), toset([var.bucket_arn])]
      ClaimRuns                = [toset(["s3:GetObject", "s3:PutObject"]), toset(["${var.bucket_arn}/refined/_starts/*"])]
      SendToTheDeadLetterQueue = [toset(["sqs:SendMessage"]), toset([var.starter_dlq_arn])]
      WriteTheStartersLog      = [toset(["logs:CreateLogStream", "logs:PutLogEvents"]), toset(["arn:aws:logs:us-east-1:123456789012:log-group:/aws/lambda/lake-starter:*"])]
    }
    error_message = "The starter can't do its work, or can do more."
  }
  assert {
    condition     = one(one([for s in data.aws_iam_policy_document.starter.statement : s.condition if s.sid == "FindReceiptsAndClaims"])).values == tolist(["refined/_runs/*", "refined/_starts/*"])
    error_message = "The starter can't look for receipts and claims, or can look elsewhere."
  }
  assert {
    condition = { for s in data.aws_iam_policy_document.scheduler.statement : s.sid => [s.actions, s.resources] } == {
      StartTheExtractorAndTheCompactor = [toset(["glue:StartJobRun"]), toset(["arn:aws:glue:us-east-1:123456789012:job/lake-extractor", "arn:aws:glue:us-east-1:123456789012:job/lake-compactor"])]
      SendToTheDeadLetterQueue         = [toset(["sqs:SendMessage"]), toset([var.schedule_dlq_arn])]
    }
    error_message = "The scheduler can't start a job or keep what it could not start."
  }
  assert {
    condition     = one([for s in data.aws_iam_policy_document.reader.statement : s.resources if s.sid == "ReadTheLake"]) == toset([for folder in ["_lake.json", "raw/*", "quarantine/*", "history/*", "refined/*", "tickers/*", "_log/*"] : "${var.bucket_arn}/${folder}"])
    error_message = "A reader can't read the lake."
  }
}

run "what_a_company_demands" {
  module {
    source = "./modules/iam"
  }

  variables {
    job_metrics              = true
    report                   = true
    connection               = "vpc"
    kms_key_arn              = "arn:aws:kms:us-east-1:123456789012:key/1234"
    path                     = "/teams/data/"
    permissions_boundary_arn = "arn:aws:iam::123456789012:policy/boundary"
  }

  assert {
    condition     = alltrue([for role in aws_iam_role.this : role.path == "/teams/data/" && role.permissions_boundary == var.permissions_boundary_arn])
    error_message = "A role lacks the path or the boundary."
  }
  assert {
    condition     = contains(one([for s in data.aws_iam_policy_document.transformer.statement : s.resources if s.sid == "WriteHistoryAndRefined"]), "arn:aws:s3:::lake-123456789012/_report/*")
    error_message = "The transformer can't write the report."
  }
  assert {
    condition     = aws_iam_policy.reader.path == "/teams/data/"
    error_message = "The reader policy lacks the path."
  }
  assert {
    condition     = [for s in data.aws_iam_policy_document.key.statement : [s.actions, s.resources]] == [[toset(["kms:Decrypt", "kms:GenerateDataKey"]), toset([var.kms_key_arn])]]
    error_message = "The key can't be used."
  }
  assert {
    condition     = [for s in data.aws_iam_policy_document.job.statement : s.sid if contains(s.resources, "*")] == ["PublishGlueMetrics", "DescribeNetworks"]
    error_message = "Something other than metrics and descriptions of networks is allowed on all resources."
  }
  assert {
    condition     = one(one([for s in data.aws_iam_policy_document.job.statement : s.condition if s.sid == "PublishGlueMetrics"])).values == tolist(["Glue"])
    error_message = "The jobs may publish metrics in any namespace."
  }
  assert {
    condition     = contains(one([for s in data.aws_iam_policy_document.job.statement : s.resources if s.sid == "ReadTheConnection"]), "arn:aws:glue:us-east-1:123456789012:connection/vpc")
    error_message = "The jobs can't read the connection."
  }
}
