output "extractor_job" {
  description = "Name of the job that extracts."
  value       = aws_glue_job.this["extractor"].name
}

output "transformer_job" {
  description = "Name of the job that transforms."
  value       = aws_glue_job.this["transformer"].name
}

output "compactor_job" {
  description = "Name of the job that compacts."
  value       = aws_glue_job.this["compactor"].name
}

output "artifacts" {
  description = "S3 URLs of what the jobs run: extractor, transformer, compactor, packages."
  value       = local.urls
}

output "log_groups" {
  description = "Names of the jobs' log groups: output has our lines, error has Spark's and Glue's."
  value       = { for key, group in aws_cloudwatch_log_group.this : key => group.name }
}
