output "database" {
  description = "Name of the database."
  value       = aws_glue_catalog_database.this.name
}

output "tables" {
  description = "Names of the tables."
  value       = [for table in aws_glue_catalog_table.this : table.name]
}
