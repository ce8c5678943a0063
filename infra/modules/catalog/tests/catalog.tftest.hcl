mock_provider "aws" {}

variables {
  database = "lake"
  lake     = "s3://lake-123456789012"
}

run "tables" {
  assert {
    condition = { for name, table in aws_glue_catalog_table.this : name => table.storage_descriptor[0].location } == {
      raw     = "s3://lake-123456789012/raw/"
      history = "s3://lake-123456789012/history/"
      daily   = "s3://lake-123456789012/refined/daily/"
    }
    error_message = "A table is missing or lies elsewhere."
  }
  assert {
    condition = { for name, table in aws_glue_catalog_table.this : name => [for key in table.partition_keys : "${key.name} ${key.type}"] } == {
      raw     = ["date string", "ticker string"]
      history = ["ticker string"]
      daily   = ["date string", "ticker string"]
    }
    error_message = "A table has other partition keys."
  }
  assert {
    condition     = alltrue([for table in aws_glue_catalog_table.this : table.storage_descriptor[0].columns[0].name == "session" && table.storage_descriptor[0].columns[0].type == "date"])
    error_message = "The first column is not the session."
  }
  assert {
    condition     = alltrue(flatten([for table in aws_glue_catalog_table.this : [for column in table.storage_descriptor[0].columns : length(column.comment) > 0]]))
    error_message = "A column has no comment."
  }
}
