mock_provider "aws" {}

variables {
  database             = "lake"
  transformer_role_arn = "arn:aws:iam::123456789012:role/lake-transformer"
}

run "grants" {
  module {
    source = "./modules/lakeformation"
  }

  variables {
    readers = ["arn:aws:iam::123456789012:role/analyst"]
  }

  assert {
    condition     = [for grant in aws_lakeformation_permissions.database : grant.principal] == ["arn:aws:iam::123456789012:role/analyst", "arn:aws:iam::123456789012:role/lake-transformer"]
    error_message = "Somebody can't see the database, or too many can."
  }
  assert {
    condition     = [for grant in aws_lakeformation_permissions.database : contains(grant.permissions, "CREATE_TABLE")] == [false, true]
    error_message = "The transformer can't create the views, or a reader can."
  }
  assert {
    condition     = [for grant in aws_lakeformation_permissions.reader_tables : toset(grant.permissions)] == [toset(["DESCRIBE", "SELECT"])]
    error_message = "A reader may do more than read."
  }
  assert {
    condition     = aws_lakeformation_permissions.transformer_tables.table[0].wildcard && contains(aws_lakeformation_permissions.transformer_tables.permissions, "ALTER")
    error_message = "The transformer can't maintain partitions."
  }
}
