locals {
  # `date` is the session cut to the grain. It is text, and its order is that of the dates.
  width  = { day = 10, month = 7, year = 4 }[var.grain]
  recent = "\"date\" >= substr(cast(current_date - interval '10' day as varchar), 1, ${local.width})"

  queries = {
    latest = {
      description = "The latest session of every ticker."
      text        = <<-SQL
        SELECT ticker, session, close, currency, return_1d, volume, rsi_14, sma_200
        FROM (
          SELECT *, row_number() OVER (PARTITION BY ticker ORDER BY session DESC) AS age
          FROM daily
          WHERE ${local.recent}
        ) AS bars
        WHERE age = 1
        ORDER BY ticker
      SQL
    }
    pullbacks = {
      description = "Pullbacks in an uptrend: RSI below 30 while the close is above its 200-session average."
      text        = <<-SQL
        SELECT session, ticker, close, rsi_14, sma_200, distance_high_252
        FROM daily
        WHERE ${local.recent} AND rsi_14 < 30 AND close > sma_200
        ORDER BY session DESC, rsi_14
      SQL
    }
    years = {
      description = "Total return, volatility and worst drawdown by ticker and year. Scans the whole table."
      text        = <<-SQL
        SELECT ticker, year(session) AS year, count(*) AS sessions,
          exp(sum(ln(1 + total_return_1d))) - 1 AS total_return,
          stddev_samp(log_return_1d) * sqrt(252) AS volatility,
          min(drawdown) AS worst_drawdown
        FROM daily
        GROUP BY ticker, year(session)
        ORDER BY ticker, year
      SQL
    }
    coverage = {
      description = "First and last session of every ticker, and when it was last fetched."
      text        = <<-SQL
        SELECT ticker, min(session) AS first_session, max(session) AS last_session,
          count(*) AS sessions, max(as_of) AS last_fetched
        FROM history
        GROUP BY ticker
        ORDER BY last_session, ticker
      SQL
    }
    corporate-actions = {
      description = "Splits and dividends."
      text        = <<-SQL
        SELECT ticker, session, split, dividend, currency
        FROM history
        WHERE split <> 1 OR dividend <> 0
        ORDER BY session DESC, ticker
      SQL
    }
  }
}

resource "aws_athena_workgroup" "this" {
  name        = var.name
  description = "Queries of the lake, with a limit on what each of them may scan."

  # Destroying the workgroup loses only its query history and the saved queries below.
  force_destroy = true

  configuration {
    enforce_workgroup_configuration    = true
    publish_cloudwatch_metrics_enabled = true
    bytes_scanned_cutoff_per_query     = max(10485760, floor(var.scan_limit_gb * 1000000000)) # Athena's lowest is 10 MiB

    result_configuration {
      output_location = "s3://${var.bucket}/_athena/"

      encryption_configuration {
        encryption_option = var.kms_key_arn == null ? "SSE_S3" : "SSE_KMS"
        kms_key_arn       = var.kms_key_arn
      }
    }
  }
}

resource "aws_athena_named_query" "this" {
  for_each = local.queries

  name        = each.key
  description = each.value.description
  workgroup   = aws_athena_workgroup.this.name
  database    = var.database
  query       = each.value.text
}
