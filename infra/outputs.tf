output "bucket" {
  description = "Name of the lake's bucket."
  value       = module.s3.bucket
}

output "lake" {
  description = "URL of the lake, for `tickerlake --lake`."
  value       = "s3://${module.s3.bucket}"
}

output "region" {
  description = "Region of the lake, for `AWS_REGION`."
  value       = var.region
}

output "extractor_job" {
  description = "Name of the Glue job that extracts."
  value       = module.glue.extractor_job
}

output "transformer_job" {
  description = "Name of the Glue job that transforms."
  value       = module.glue.transformer_job
}

output "compactor_job" {
  description = "Name of the Glue job that compacts."
  value       = module.glue.compactor_job
}

output "job_logs" {
  description = "Names of the jobs' log groups: output has our lines, error has Spark's and Glue's."
  value       = module.glue.log_groups
}

output "starter_function" {
  description = "Name of the Lambda function that starts the transformer."
  value       = module.lambda.function_name
}

output "starter_dlq_url" {
  description = "URL of the queue of events that the starter could not handle."
  value       = module.lambda.dlq_url
}

output "dead_letter_queues" {
  description = "URLs of all queues of dead letters, by what could not be delivered."
  value = merge(
    { starter = module.lambda.dlq_url, schedule = module.scheduler.dlq_url },
    { for queue in module.monitoring[*].failed_jobs_dlq_url : "failed-jobs" => queue },
  )
}

output "schedule" {
  description = "Name of the extractor's schedule, in the default group."
  value       = module.scheduler.names["extractor"]
}

output "database" {
  description = "Name of the database in the Glue Data Catalog."
  value       = module.catalog.database
}

output "workgroup" {
  description = "Name of the Athena workgroup."
  value       = module.athena.workgroup
}

output "reader_policy_arn" {
  description = "ARN of the policy to attach to people and programs that may query the lake and change nothing."
  value       = module.iam.reader_policy_arn
}

output "alarm_topic_arn" {
  description = "ARN of the topic that alarms are sent to; null without monitoring."
  value       = one(module.monitoring[*].topic_arn)
}

output "dashboard" {
  description = "Name of the dashboard; null without monitoring."
  value       = one(module.monitoring[*].dashboard)
}
