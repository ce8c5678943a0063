output "workgroup" {
  description = "Name of the workgroup."
  value       = aws_athena_workgroup.this.name
}

output "queries" {
  description = "Ids of the saved queries, by name."
  value       = { for name, query in aws_athena_named_query.this : name => query.id }
}
