output "extractor_job" {
  description = "Name of the job that extracts."
  value       = aws_glue_job.this["extractor"].name
}

output "transformer_job" {
  description = "Name of the job that transforms."
  value       = aws_glue_job.this["transformer"].name
}

output "artifacts" {
  description = "S3 URLs of what the jobs run: extractor, transformer, requirements, wheel."
  value       = local.urls
}
