locals {
  # `make docs` generates the file from the declared columns, and a test fails when it is stale.
  tables = jsondecode(file("${path.module}/tables.json"))

  # An index pays where partitions are many: one for each date and ticker.
  indexed = toset([for name, table in local.tables : name if var.partition_index && length(table.partition_keys) == 2])
}

resource "aws_glue_catalog_database" "this" {
  name        = var.database
  description = "Daily bars and features of ${var.lake}."
}

resource "aws_glue_catalog_table" "this" {
  for_each = local.tables

  database_name = aws_glue_catalog_database.this.name
  name          = each.key
  table_type    = "EXTERNAL_TABLE"

  parameters = merge(
    { EXTERNAL = "TRUE", classification = "parquet" },
    # Athena ignores an index without it.
    contains(local.indexed, each.key) ? { "partition_filtering.enabled" = "true" } : {},
  )

  dynamic "partition_keys" {
    for_each = each.value.partition_keys

    content {
      name    = partition_keys.value.name
      type    = partition_keys.value.type
      comment = partition_keys.value.comment
    }
  }

  storage_descriptor {
    location      = "${var.lake}/${each.value.location}"
    input_format  = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat"
    output_format = "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat"

    ser_de_info {
      serialization_library = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"

      parameters = {
        "serialization.format" = "1"
      }
    }

    dynamic "columns" {
      for_each = each.value.columns

      content {
        name    = columns.value.name
        type    = columns.value.type
        comment = columns.value.comment
      }
    }
  }
}

# docs/decisions/0020-partition-index-not-projection.md
resource "aws_glue_partition_index" "ticker_date" {
  for_each = local.indexed

  database_name = aws_glue_catalog_database.this.name
  table_name    = aws_glue_catalog_table.this[each.key].name

  partition_index {
    index_name = "ticker_date"
    keys       = ["ticker", "date"]
  }
}
