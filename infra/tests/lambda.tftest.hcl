mock_provider "aws" {
  mock_data "aws_caller_identity" {
    defaults = { account_id = "123456789012" }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:us-east-1:123456789012:lake-starter-dlq" }
  }
  mock_resource "aws_lambda_function" {
    defaults = { arn = "arn:aws:lambda:us-east-1:123456789012:function:lake-starter" }
  }
}

variables {
  name            = "lake-starter"
  package         = "tests/dist/starter.zip"
  role_arn        = "arn:aws:iam::123456789012:role/lake-starter"
  transformer_job = "lake-transformer"
  bucket_arn      = "arn:aws:s3:::lake-123456789012"
}

run "function" {
  module {
    source = "./modules/lambda"
  }

  assert {
    condition = (
      aws_lambda_function.this.handler == "glue_starter_lambda_function.handler"
      && aws_lambda_function.this.runtime == "python3.13"
      && aws_lambda_function.this.environment[0].variables == tomap({ TRANSFORMER_JOB = "lake-transformer" })
      && aws_lambda_function.this.reserved_concurrent_executions == -1
    )
    error_message = "The function isn't the starter."
  }
  assert {
    condition     = aws_lambda_function.this.timeout >= 30 && aws_lambda_function.this.timeout <= 60 && aws_lambda_function.this.role == var.role_arn
    error_message = "The function has another role, or a timeout that Lambda's retries don't expect."
  }
  assert {
    condition     = aws_lambda_function_event_invoke_config.this.function_name == "lake-starter" && aws_lambda_function_event_invoke_config.this.maximum_event_age_in_seconds == 21600
    error_message = "Events are given up early."
  }
  assert {
    condition     = aws_lambda_permission.s3.action == "lambda:InvokeFunction" && aws_lambda_permission.s3.function_name == "lake-starter"
    error_message = "The bucket can't invoke the function."
  }
  assert {
    condition     = aws_cloudwatch_log_group.this.name == "/aws/lambda/lake-starter" && aws_cloudwatch_log_group.this.retention_in_days == 90
    error_message = "The log is kept for ever."
  }
  assert {
    condition     = aws_lambda_function.this.dead_letter_config[0].target_arn == output.dlq_arn && aws_lambda_function_event_invoke_config.this.maximum_retry_attempts == 2
    error_message = "An event that fails isn't retried and kept."
  }
  assert {
    condition     = aws_sqs_queue.dlq.message_retention_seconds == 1209600 && aws_sqs_queue.dlq.sqs_managed_sse_enabled
    error_message = "The dead-letter queue isn't encrypted or forgets early."
  }
  assert {
    condition = (
      aws_lambda_permission.s3.principal == "s3.amazonaws.com"
      && aws_lambda_permission.s3.source_arn == var.bucket_arn
      && aws_lambda_permission.s3.source_account == "123456789012"
    )
    error_message = "Another bucket, or one of another account, may invoke the function."
  }
}

run "reserved_and_encrypted" {
  module {
    source = "./modules/lambda"
  }

  variables {
    reserved_concurrency = 2
    kms_key_arn          = "arn:aws:kms:us-east-1:123456789012:key/1234"
  }

  assert {
    condition     = aws_lambda_function.this.reserved_concurrent_executions == 2
    error_message = "No concurrency is reserved."
  }
  assert {
    condition = alltrue([
      for key in [aws_lambda_function.this.kms_key_arn, aws_sqs_queue.dlq.kms_master_key_id, aws_cloudwatch_log_group.this.kms_key_id] :
      key == var.kms_key_arn
    ])
    error_message = "The settings, the queue or the log aren't encrypted with the key."
  }
}
