locals {
  lake = "s3://${var.bucket}"

  artifacts = {
    extractor   = "glue_extractor_job.py"
    transformer = "glue_transformer_job.py"
    compactor   = "glue_compactor_job.py"
    packages    = one(fileset(var.dist, "tickerlake-*.gluewheels.zip"))
  }

  urls = { for key, object in aws_s3_object.artifact : key => "${local.lake}/${object.key}" }

  arguments = merge(
    {
      "--job-language" = "python"
      # Everything that the jobs import, our own package included, so that no package index is needed.
      "--additional-python-modules"       = local.urls["packages"]
      "--python-modules-installer-option" = "--no-index"
      # What we write to standard error goes to <prefix>/output, stream <run>-driver.
      "--custom-logGroup-prefix" = var.logs
      "--region"                 = var.region
      "--lake"                   = local.lake
    },
    # Glue publishes metrics whatever the value is, so the argument must be absent to switch them off.
    var.metrics ? { "--enable-metrics" = "true" } : {},
  )

  jobs = {
    extractor = {
      description = "Brings the lake's raw data up to date."
      role        = var.extractor_role_arn
      workers     = var.extractor_workers
      # Two extractors would only fetch the same bars twice.
      concurrent_runs = 1
      arguments = merge(local.arguments, {
        "--universe"            = "${local.lake}/${aws_s3_object.universe.key}"
        "--start"               = var.start
        "--grain"               = var.grain
        "--requests-per-second" = tostring(var.requests_per_second)
      }, var.extractor_arguments)
    }
    transformer = {
      description = "Derives history and refined from raw. The starter passes --run-id."
      role        = var.transformer_role_arn
      workers     = var.transformer_workers
      # Concurrent transforms lose no updates, and a backfill commits several manifests in a row.
      concurrent_runs = 3
      arguments = merge(
        local.arguments,
        { "--catalog" = var.database },
        var.report ? { "--report" = "${local.lake}/_report" } : {},
        var.transformer_arguments,
      )
    }
    # Not a Python shell job: Glue's have Python 3.9.
    compactor = {
      description = "Packs the small files of past months or years."
      role        = var.compactor_role_arn
      workers     = 2
      # Another one would only find that the first is at work.
      concurrent_runs = 1
      arguments       = merge(local.arguments, { "--workers" = "32" })
    }
  }
}

# With its hash in the key, a new version is a new object, and the old version's key stays valid.
resource "aws_s3_object" "artifact" {
  for_each = local.artifacts

  bucket = var.bucket
  key    = "_artifacts/${substr(filesha256("${var.dist}/${each.value}"), 0, 16)}/${each.value}"
  source = "${var.dist}/${each.value}"

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_s3_object" "universe" {
  bucket       = var.bucket
  key          = "_config/universe.txt"
  content      = join("", [for ticker in var.tickers : "${ticker}\n"])
  content_type = "text/plain"
}

resource "aws_cloudwatch_log_group" "this" {
  for_each = toset(["output", "error"])

  #checkov:skip=CKV_AWS_158:CloudWatch Logs encrypts with a key of its own unless kms_key_arn is set; run ids are no secret
  #checkov:skip=CKV_AWS_338:the retention is the user's choice; the lake's manifests and receipts are the lasting record
  name              = "${var.logs}/${each.key}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_glue_job" "this" {
  for_each = local.jobs

  #checkov:skip=CKV_AWS_195:a security configuration would add KMS keys for logs and bookmarks: there are no bookmarks, and no secrets in the logs
  name                    = "${var.name}-${each.key}"
  description             = each.value.description
  role_arn                = each.value.role
  glue_version            = "6.0"
  worker_type             = var.worker_type
  number_of_workers       = each.value.workers
  timeout                 = var.timeout_minutes
  max_retries             = var.max_retries
  job_run_queuing_enabled = var.queueing
  connections             = var.connection[*]
  default_arguments       = each.value.arguments

  execution_property {
    max_concurrent_runs = each.value.concurrent_runs
  }

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = local.urls[each.key]
  }

  lifecycle {
    precondition {
      condition     = !(var.queueing && var.max_retries > 0)
      error_message = "Glue doesn't retry job runs that may be queued. Set max_retries to 0 or leave queueing off."
    }
  }

  # A run that found no group would create one without retention.
  depends_on = [aws_cloudwatch_log_group.this]
}
