output "topic_arn" {
  description = "ARN of the topic that alarms are sent to."
  value       = aws_sns_topic.this.arn
}

output "dashboard" {
  description = "Name of the dashboard."
  value       = aws_cloudwatch_dashboard.this.dashboard_name
}

output "failed_jobs_dlq_url" {
  description = "URL of the queue of failures that EventBridge could not publish."
  value       = aws_sqs_queue.failed_jobs.url
}
