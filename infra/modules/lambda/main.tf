data "aws_caller_identity" "this" {}

# Events that failed for good. They arrive as S3 sent them, so `tickerlake watch` can handle them.
resource "aws_sqs_queue" "dlq" {
  name                      = "${var.name}-dlq"
  message_retention_seconds = 1209600 # 14 days, the most there is
  sqs_managed_sse_enabled   = true
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch Logs encrypts it with a key of its own; run ids are no secret
  #checkov:skip=CKV_AWS_338:how long is the user's choice; the lake's manifests and receipts are the lasting record
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:one call from S3 and three to AWS: X-Ray would show nothing that the log does not
  #checkov:skip=CKV_AWS_115:see the variable reserved_concurrency; new accounts are refused any
  #checkov:skip=CKV_AWS_117:it talks to AWS's public endpoints alone, which a VPC would put behind a NAT gateway or paid endpoints
  #checkov:skip=CKV_AWS_173:the only variable is a job's name
  #checkov:skip=CKV_AWS_272:the zip is built and uploaded by who applies this; its hash is in the state
  function_name                  = var.name
  description                    = "Starts the transformer when a run's manifest arrives."
  filename                       = var.package
  source_code_hash               = filebase64sha256(var.package)
  role                           = var.role_arn
  handler                        = "glue_starter_lambda_function.handler"
  runtime                        = "python3.13"
  architectures                  = ["arm64"]
  memory_size                    = 256
  timeout                        = 60
  reserved_concurrent_executions = coalesce(var.reserved_concurrency, -1)

  environment {
    variables = {
      TRANSFORMER_JOB = var.transformer_job
    }
  }

  logging_config {
    log_format = "JSON"
    log_group  = aws_cloudwatch_log_group.this.name
  }

  dead_letter_config {
    target_arn = aws_sqs_queue.dlq.arn
  }
}

# The function raises when Glue throttles or refuses, so that the event comes again.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600 # 6 hours, the most there is
}

resource "aws_lambda_permission" "s3" {
  statement_id   = "manifests"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this.function_name
  principal      = "s3.amazonaws.com"
  source_arn     = var.bucket_arn
  source_account = data.aws_caller_identity.this.account_id # a bucket's ARN names no account
}
