# Lambda refuses a function whose role may not yet send to its dead-letter queue, so a role counts
# as ready when it has its policy.
output "role_arns" {
  description = "ARNs of the roles: extractor, transformer, compactor, starter, scheduler."
  value       = { for key, role in aws_iam_role.this : key => role.arn }

  depends_on = [aws_iam_role_policy.this]
}

output "reader_policy_arn" {
  description = "ARN of the policy for people and programs that only query."
  value       = aws_iam_policy.reader.arn
}

output "policies" {
  description = "The policies as JSON: extractor, transformer, compactor, starter, scheduler, reader."
  value       = merge(local.policies, { reader = data.aws_iam_policy_document.reader.json })
}
