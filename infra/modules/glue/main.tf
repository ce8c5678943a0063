locals {
  lake  = "s3://${var.bucket}"
  wheel = one(fileset(var.dist, "tickerlake-*-py3-none-any.whl"))

  artifacts = {
    extractor    = "glue_extractor_job.py"
    transformer  = "glue_transformer_job.py"
    requirements = "glue-requirements.txt"
    wheel        = local.wheel
  }

  # Spark puts a .zip on the path of its executors, and leaves out a .whl, which is a zip
  names = merge(local.artifacts, { wheel = "tickerlake.zip" })

  urls = { for key, object in aws_s3_object.artifact : key => "${local.lake}/${object.key}" }

  arguments = {
    "--job-language"                    = "python"
    "--extra-py-files"                  = local.urls["wheel"]
    "--additional-python-modules"       = local.urls["requirements"]
    "--python-modules-installer-option" = "-r"
    # our log is JSON lines on stderr, which end in the log group /aws-glue/jobs/error
    "--enable-continuous-cloudwatch-log" = "true"
    "--enable-metrics"                   = "true"
    "--lake"                             = local.lake
  }

  jobs = {
    extractor = {
      description = "Brings the lake's raw data up to date."
      role        = var.extractor_role_arn
      workers     = var.extractor_workers
      arguments = merge(local.arguments, {
        "--universe"            = "${local.lake}/${aws_s3_object.universe.key}"
        "--start"               = var.start
        "--grain"               = var.grain
        "--requests-per-second" = tostring(var.requests_per_second)
      }, var.extractor_arguments)
    }
    transformer = {
      description = "Makes history and refined from raw; the starter gives --run-id."
      role        = var.transformer_role_arn
      workers     = var.transformer_workers
      arguments   = merge(local.arguments, { "--catalog" = var.database }, var.transformer_arguments)
    }
  }
}

# The hash in the key makes a new version a new object, and going back to an earlier version is going back to its keys.
resource "aws_s3_object" "artifact" {
  for_each = local.artifacts

  bucket = var.bucket
  key    = "_artifacts/${substr(filesha256("${var.dist}/${each.value}"), 0, 16)}/${local.names[each.key]}"
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

resource "aws_glue_job" "this" {
  for_each = local.jobs

  #checkov:skip=CKV_AWS_195:a security configuration would add KMS keys for logs and bookmarks: there are no bookmarks, and nothing secret in the logs
  name                    = "${var.name}-${each.key}"
  description             = each.value.description
  role_arn                = each.value.role
  glue_version            = "6.0"
  worker_type             = var.worker_type
  number_of_workers       = each.value.workers
  timeout                 = var.timeout_minutes
  max_retries             = var.max_retries
  job_run_queuing_enabled = true
  default_arguments       = each.value.arguments

  command {
    name            = "glueetl"
    python_version  = "3"
    script_location = local.urls[each.key]
  }
}
