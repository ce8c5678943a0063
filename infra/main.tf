provider "aws" {
  region              = var.region
  allowed_account_ids = var.account_id == null ? null : [var.account_id]

  default_tags {
    tags = merge(var.tags, { lake = var.name })
  }
}

data "aws_caller_identity" "this" {}

locals {
  # Bucket names are unique across all AWS accounts.
  bucket   = coalesce(var.existing_bucket, "${var.name}-${data.aws_caller_identity.this.account_id}")
  database = replace(var.name, "-", "_")

  # Glue appends /output and /error.
  job_logs = "/aws-glue/${var.name}"
}

module "s3" {
  source = "./modules/s3"

  bucket            = local.bucket
  create            = var.existing_bucket == null
  starter_arn       = module.lambda.function_arn
  noncurrent_days   = var.noncurrent_days
  query_result_days = var.query_result_days
  force_destroy     = var.force_destroy
  kms_key_arn       = var.kms_key_arn
}

module "iam" {
  source = "./modules/iam"

  name                     = var.name
  region                   = var.region
  bucket_arn               = module.s3.arn
  extractor_job            = "${var.name}-extractor"
  transformer_job          = "${var.name}-transformer"
  compactor_job            = "${var.name}-compactor"
  job_logs                 = local.job_logs
  job_metrics              = var.glue_metrics
  report                   = var.report
  database                 = local.database
  workgroup                = var.name
  starter                  = "${var.name}-starter"
  starter_dlq_arn          = module.lambda.dlq_arn
  schedule_dlq_arn         = module.scheduler.dlq_arn
  kms_key_arn              = var.kms_key_arn
  connection               = var.glue_connection
  path                     = var.iam_path
  permissions_boundary_arn = var.permissions_boundary_arn
}

module "catalog" {
  source = "./modules/catalog"

  database        = local.database
  lake            = "s3://${module.s3.bucket}"
  partition_index = var.partition_index
}

module "lakeformation" {
  source = "./modules/lakeformation"
  count  = var.lake_formation ? 1 : 0

  database             = module.catalog.database
  transformer_role_arn = module.iam.role_arns["transformer"]
  readers              = var.lake_formation_readers
}

module "glue" {
  source = "./modules/glue"

  name                  = var.name
  region                = var.region
  bucket                = module.s3.bucket
  dist                  = var.dist
  extractor_role_arn    = module.iam.role_arns["extractor"]
  transformer_role_arn  = module.iam.role_arns["transformer"]
  compactor_role_arn    = module.iam.role_arns["compactor"]
  database              = module.catalog.database
  tickers               = var.tickers
  start                 = var.start
  grain                 = var.grain
  requests_per_second   = var.requests_per_second
  extractor_arguments   = var.extractor_arguments
  transformer_arguments = var.transformer_arguments
  report                = var.report
  worker_type           = var.worker_type
  extractor_workers     = var.extractor_workers
  transformer_workers   = var.transformer_workers
  timeout_minutes       = var.timeout_minutes
  max_retries           = var.max_retries
  metrics               = var.glue_metrics
  connection            = var.glue_connection
  logs                  = local.job_logs
  log_retention_days    = var.log_retention_days
  kms_key_arn           = var.kms_key_arn
}

module "lambda" {
  source = "./modules/lambda"

  name                 = "${var.name}-starter"
  package              = "${var.dist}/starter.zip"
  role_arn             = module.iam.role_arns["starter"]
  transformer_job      = module.glue.transformer_job
  bucket_arn           = module.s3.arn
  log_retention_days   = var.log_retention_days
  reserved_concurrency = var.reserved_concurrency
  kms_key_arn          = var.kms_key_arn
}

module "scheduler" {
  source = "./modules/scheduler"

  name = var.name
  schedules = merge(
    { extractor = { job = module.glue.extractor_job, expression = var.schedule, enabled = var.schedule_enabled } },
    # In a lake by day there is nothing to pack.
    var.grain == "day" || var.compaction_schedule == null ? {} : {
      compactor = { job = module.glue.compactor_job, expression = var.compaction_schedule, enabled = true }
    },
  )
  role_arn    = module.iam.role_arns["scheduler"]
  timezone    = var.timezone
  kms_key_arn = var.kms_key_arn
}

module "athena" {
  source = "./modules/athena"

  name          = var.name
  bucket        = module.s3.bucket
  database      = module.catalog.database
  grain         = var.grain
  scan_limit_gb = var.scan_limit_gb
  kms_key_arn   = var.kms_key_arn
}

module "monitoring" {
  source = "./modules/monitoring"
  count  = var.monitoring ? 1 : 0

  name        = var.name
  region      = var.region
  jobs        = [module.glue.extractor_job, module.glue.transformer_job, module.glue.compactor_job]
  job_logs    = module.glue.log_groups
  job_metrics = var.glue_metrics
  function    = module.lambda.function_name
  queues      = { starter = module.lambda.dlq_name, schedule = module.scheduler.dlq_name }
  workgroup   = module.athena.workgroup
  email       = var.email
  quiet_hours = var.quiet_hours
  holidays    = var.holidays
  budget      = var.budget
  kms_key_arn = var.kms_key_arn
}
