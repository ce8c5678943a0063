# A role is of use when it has its policy: a Lambda function with a dead-letter queue is refused
# before, so whoever needs a role waits for both.
output "role_arns" {
  description = "ARNs of the roles: extractor, transformer, starter, scheduler."
  value       = { for key, role in aws_iam_role.this : key => role.arn }

  depends_on = [aws_iam_role_policy.this]
}
