provider "aws" {
  region = var.region

  default_tags {
    tags = merge(var.tags, { lake = var.name })
  }
}

data "aws_caller_identity" "this" {}

locals {
  # bucket names are unique in the world
  bucket   = "${var.name}-${data.aws_caller_identity.this.account_id}"
  database = replace(var.name, "-", "_")
}

module "s3" {
  source = "./modules/s3"

  bucket            = local.bucket
  starter_arn       = module.lambda.function_arn
  noncurrent_days   = var.noncurrent_days
  query_result_days = var.query_result_days
  force_destroy     = var.force_destroy
}

module "iam" {
  source = "./modules/iam"

  name             = var.name
  region           = var.region
  bucket_arn       = module.s3.arn
  extractor_job    = "${var.name}-extractor"
  transformer_job  = "${var.name}-transformer"
  database         = local.database
  starter          = "${var.name}-starter"
  starter_dlq_arn  = module.lambda.dlq_arn
  schedule_dlq_arn = module.scheduler.dlq_arn
}

module "catalog" {
  source = "./modules/catalog"

  database = local.database
  lake     = "s3://${module.s3.bucket}"
}

module "glue" {
  source = "./modules/glue"

  name                  = var.name
  bucket                = module.s3.bucket
  dist                  = var.dist
  extractor_role_arn    = module.iam.role_arns["extractor"]
  transformer_role_arn  = module.iam.role_arns["transformer"]
  database              = module.catalog.database
  tickers               = var.tickers
  start                 = var.start
  grain                 = var.grain
  requests_per_second   = var.requests_per_second
  extractor_arguments   = var.extractor_arguments
  transformer_arguments = var.transformer_arguments
  worker_type           = var.worker_type
  extractor_workers     = var.extractor_workers
  transformer_workers   = var.transformer_workers
  timeout_minutes       = var.timeout_minutes
  max_retries           = var.max_retries
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
}

module "scheduler" {
  source = "./modules/scheduler"

  name       = "${var.name}-extractor"
  job        = module.glue.extractor_job
  role_arn   = module.iam.role_arns["scheduler"]
  expression = var.schedule
  timezone   = var.timezone
  enabled    = var.schedule_enabled
}

module "athena" {
  source = "./modules/athena"

  name          = var.name
  bucket        = module.s3.bucket
  database      = module.catalog.database
  grain         = var.grain
  scan_limit_gb = var.scan_limit_gb
}

module "monitoring" {
  source = "./modules/monitoring"
  count  = var.monitoring ? 1 : 0

  name        = var.name
  region      = var.region
  jobs        = [module.glue.extractor_job, module.glue.transformer_job]
  function    = module.lambda.function_name
  queues      = { starter = module.lambda.dlq_name, schedule = module.scheduler.dlq_name }
  workgroup   = module.athena.workgroup
  email       = var.email
  quiet_hours = var.quiet_hours
  holidays    = var.holidays
  budget      = var.budget
}
