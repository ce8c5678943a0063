output "bucket" {
  description = "Name of the bucket."
  value       = local.bucket
}

output "arn" {
  description = "ARN of the bucket."
  value       = local.arn
}
