data "aws_caller_identity" "this" {}

# Events that the function could not handle, as S3 sent them, so that `tickerlake watch` can.
resource "aws_sqs_queue" "dlq" {
  name                      = "${var.name}-dlq"
  message_retention_seconds = 1209600 # 14 days, the longest that SQS offers
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
}

resource "aws_cloudwatch_log_group" "this" {
  #checkov:skip=CKV_AWS_158:CloudWatch Logs encrypts with a key of its own unless kms_key_arn is set; run ids are no secret
  #checkov:skip=CKV_AWS_338:the retention is the user's choice; the lake's manifests and receipts are the lasting record
  name              = "/aws/lambda/${var.name}"
  retention_in_days = var.log_retention_days
  kms_key_id        = var.kms_key_arn
}

resource "aws_lambda_function" "this" {
  #checkov:skip=CKV_AWS_50:it makes a handful of calls to AWS, and X-Ray would show nothing that the log doesn't
  #checkov:skip=CKV_AWS_115:see the variable reserved_concurrency; new accounts can't reserve any
  #checkov:skip=CKV_AWS_117:it calls only AWS's public endpoints, which from a VPC would need a NAT gateway or paid endpoints
  #checkov:skip=CKV_AWS_173:its only setting is a job's name; kms_key_arn encrypts it nevertheless
  #checkov:skip=CKV_AWS_272:whoever applies builds and uploads the zip file, and its hash is in the state
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
  kms_key_arn                    = var.kms_key_arn

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

# The function raises an error when Glue throttles or refuses a call, so that Lambda delivers the event again.
resource "aws_lambda_function_event_invoke_config" "this" {
  function_name                = aws_lambda_function.this.function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600 # 6 hours, the longest that Lambda offers
}

resource "aws_lambda_permission" "s3" {
  statement_id   = "manifests"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.this.function_name
  principal      = "s3.amazonaws.com"
  source_arn     = var.bucket_arn
  source_account = data.aws_caller_identity.this.account_id # a bucket's ARN doesn't name its account
}
