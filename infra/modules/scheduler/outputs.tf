output "names" {
  description = "Names of the schedules, in the default group."
  value       = { for key, schedule in aws_scheduler_schedule.this : key => schedule.name }
}

output "dlq_arn" {
  description = "ARN of the queue of starts that Scheduler could not deliver."
  value       = aws_sqs_queue.dlq.arn
}

output "dlq_url" {
  description = "URL of the queue of starts that Scheduler could not deliver."
  value       = aws_sqs_queue.dlq.url
}

output "dlq_name" {
  description = "Name of the queue of starts that Scheduler could not deliver."
  value       = aws_sqs_queue.dlq.name
}
