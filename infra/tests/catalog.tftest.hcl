mock_provider "aws" {}

variables {
  database = "lake"
  lake     = "s3://lake-123456789012"
}

run "tables" {
  module {
    source = "./modules/catalog"
  }

  assert {
    condition = { for name, table in aws_glue_catalog_table.this : name => table.storage_descriptor[0].location } == {
      raw     = "s3://lake-123456789012/raw/"
      history = "s3://lake-123456789012/history/"
      daily   = "s3://lake-123456789012/refined/daily/"
      tickers = "s3://lake-123456789012/tickers/"
    }
    error_message = "A table is missing or has another location."
  }
  assert {
    condition = { for name, table in aws_glue_catalog_table.this : name => [for key in table.partition_keys : "${key.name} ${key.type}"] } == {
      raw     = ["date string", "ticker string"]
      history = ["ticker string"]
      daily   = ["date string", "ticker string"]
      tickers = ["ticker string"]
    }
    error_message = "A table has other partition keys."
  }
  assert {
    condition     = alltrue([for name, table in aws_glue_catalog_table.this : name == "tickers" || table.storage_descriptor[0].columns[0].name == "session" && table.storage_descriptor[0].columns[0].type == "date"])
    error_message = "The first column isn't the session."
  }
  assert {
    condition     = alltrue(flatten([for table in aws_glue_catalog_table.this : [for column in table.storage_descriptor[0].columns : length(column.comment) > 0]]))
    error_message = "A column has no comment."
  }
  assert {
    condition = { for name, index in aws_glue_partition_index.ticker_date : name => [for key in index.partition_index[0].keys : key] } == {
      raw   = ["ticker", "date"]
      daily = ["ticker", "date"]
    }
    error_message = "The tables partitioned by date and ticker aren't indexed by ticker and date."
  }
  assert {
    condition = { for name, table in aws_glue_catalog_table.this : name => lookup(table.parameters, "partition_filtering.enabled", "absent") } == {
      raw     = "true"
      history = "absent"
      daily   = "true"
      tickers = "absent"
    }
    error_message = "Athena would not use the index, or would look for one that doesn't exist."
  }
}

run "without_index" {
  module {
    source = "./modules/catalog"
  }

  variables {
    partition_index = false
  }

  assert {
    condition     = length(aws_glue_partition_index.ticker_date) == 0 && alltrue([for table in aws_glue_catalog_table.this : !contains(keys(table.parameters), "partition_filtering.enabled")])
    error_message = "There is an index, or Athena is told that there is one."
  }
}
