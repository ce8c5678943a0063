# Lake Formation checks these in addition to the roles' IAM policies. The bucket isn't registered with
# it, so access to the files stays a matter of IAM.
resource "aws_lakeformation_permissions" "database" {
  for_each = toset(concat(["transformer"], var.readers))

  principal   = each.key == "transformer" ? var.transformer_role_arn : each.key
  permissions = each.key == "transformer" ? ["CREATE_TABLE", "DESCRIBE"] : ["DESCRIBE"]

  database {
    name = var.database
  }
}

# The transformer registers partitions, keeps the tables' columns up to date, and writes the views.
resource "aws_lakeformation_permissions" "transformer_tables" {
  principal   = var.transformer_role_arn
  permissions = ["ALTER", "DELETE", "DESCRIBE", "INSERT", "SELECT"]

  table {
    database_name = var.database
    wildcard      = true
  }
}

resource "aws_lakeformation_permissions" "reader_tables" {
  for_each = toset(var.readers)

  principal   = each.key
  permissions = ["DESCRIBE", "SELECT"]

  table {
    database_name = var.database
    wildcard      = true
  }
}
