output "function_name" {
  description = "Name of the function."
  value       = aws_lambda_function.this.function_name
}

# S3 refuses to notify a function that it may not invoke, so the permission comes first.
output "function_arn" {
  description = "ARN of the function, which S3 may invoke."
  value       = aws_lambda_function.this.arn

  depends_on = [aws_lambda_permission.s3]
}

output "dlq_arn" {
  description = "ARN of the queue of events that the function could not handle."
  value       = aws_sqs_queue.dlq.arn
}

output "dlq_name" {
  description = "Name of the queue of events that the function could not handle."
  value       = aws_sqs_queue.dlq.name
}

output "dlq_url" {
  description = "URL of the queue of events that the function could not handle."
  value       = aws_sqs_queue.dlq.url
}
