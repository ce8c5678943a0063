# Every input is validated here and nowhere else: this is the modules' only caller.

variable "name" {
  type        = string
  description = "Name of the lake. It prefixes the name of every resource and must be unique in the account."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,35}[a-z0-9]$", var.name))
    error_message = "name must be 3 to 37 lower-case letters, digits and hyphens, start with a letter and end with a letter or digit."
  }
}

variable "region" {
  type        = string
  description = "AWS region to deploy to."

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of an AWS region, for example us-east-1."
  }
}

variable "account_id" {
  type        = string
  description = "The only AWS account that may be changed. Terraform stops if the credentials belong to another one; null accepts any account."
  default     = null

  validation {
    condition     = var.account_id == null ? true : can(regex("^[0-9]{12}$", var.account_id))
    error_message = "account_id must be null or the 12 digits of an account."
  }
}

variable "tags" {
  type        = map(string)
  description = "Tags to add to every resource. The tag `lake` is always added."
  default     = {}

  validation {
    condition     = length(var.tags) <= 9 && !contains(keys(var.tags), "lake")
    error_message = "tags may hold at most 9 tags, because an S3 object takes 10, and none may be called lake."
  }
}

variable "dist" {
  type        = string
  description = "Folder that `make dist` fills with the wheels, the job scripts and the starter's zip file."
  default     = "../dist"

  validation {
    condition     = length(fileset(var.dist, "tickerlake-*.gluewheels.zip")) == 1
    error_message = "dist must hold exactly one tickerlake-<version>.gluewheels.zip. Run `make dist`."
  }

  validation {
    condition = alltrue([
      for file in ["glue_extractor_job.py", "glue_transformer_job.py", "glue_compactor_job.py", "starter.zip"] :
      fileexists("${var.dist}/${file}")
    ])
    error_message = "dist must hold glue_extractor_job.py, glue_transformer_job.py, glue_compactor_job.py and starter.zip. Run `make dist`."
  }
}

# What to extract

variable "tickers" {
  type        = list(string)
  description = "Tickers to extract, as Yahoo spells them, in capitals."
  default     = ["AAPL", "AMZN", "GOOG", "MSFT", "NVDA", "^GSPC"]

  validation {
    condition     = length(var.tickers) > 0
    error_message = "tickers must name at least one ticker."
  }

  validation {
    condition     = alltrue([for ticker in var.tickers : can(regex("^[A-Z0-9^][A-Z0-9.=&^_-]{0,23}$", ticker))])
    error_message = "tickers must be 1 to 24 capital letters, digits and . - = & ^ _, as in AAPL, BRK-B, ^GSPC, 0700.HK, EURUSD=X, BTC-USD."
  }

  validation {
    condition     = length(var.tickers) == length(distinct(var.tickers))
    error_message = "tickers must not name a ticker twice."
  }
}

variable "start" {
  type        = string
  description = "First session to fetch for a new ticker, YYYY-MM-DD."
  default     = "2020-01-01"

  validation {
    condition     = can(regex("^\\d{4}-\\d{2}-\\d{2}$", var.start)) && can(formatdate("YYYY", "${var.start}T00:00:00Z"))
    error_message = "start must be a date, YYYY-MM-DD."
  }
}

variable "grain" {
  type        = string
  description = "Partition grain of the lake: day, month or year. It can't be changed later. Day suits a few dozen tickers, year thousands."
  default     = "day"

  validation {
    condition     = contains(["day", "month", "year"], var.grain)
    error_message = "grain must be day, month or year."
  }
}

variable "requests_per_second" {
  type        = number
  description = "Requests per second that the extractor may send to Yahoo."
  default     = 5

  validation {
    condition     = var.requests_per_second > 0
    error_message = "requests_per_second must be greater than 0."
  }
}

variable "schedule" {
  type        = string
  description = "When to extract: a cron(...) or rate(...) expression of EventBridge Scheduler."
  default     = "cron(30 17 ? * MON-FRI *)"

  validation {
    condition     = can(regex("^(cron\\(\\S+( \\S+){5}\\)|rate\\([1-9][0-9]* (minutes?|hours?|days?)\\))$", var.schedule))
    error_message = "schedule must be cron(...) with six fields, or rate(...), for example cron(30 17 ? * MON-FRI *)."
  }
}

variable "timezone" {
  type        = string
  description = "IANA name of the schedules' time zone. Use the exchange's, so that they follow its daylight saving time."
  default     = "America/New_York"

  validation {
    condition     = can(regex("^(UTC|[A-Z][A-Za-z]+(/[A-Za-z0-9_+-]+)+)$", var.timezone))
    error_message = "timezone must be an IANA name, for example America/New_York or UTC."
  }
}

variable "schedule_enabled" {
  type        = bool
  description = "Whether the schedule is on."
  default     = true
}

variable "compaction_schedule" {
  type        = string
  description = "When to compact a lake by month or year: a cron(...) or rate(...) expression of EventBridge Scheduler; null for never. It deletes what was packed a day or more before."
  default     = "cron(0 12 ? * SUN *)"

  validation {
    condition     = var.compaction_schedule == null ? true : can(regex("^(cron\\(\\S+( \\S+){5}\\)|rate\\([1-9][0-9]* (minutes?|hours?|days?)\\))$", var.compaction_schedule))
    error_message = "compaction_schedule must be null, cron(...) with six fields, or rate(...), for example cron(0 12 ? * SUN *)."
  }
}

# How the jobs run

variable "worker_type" {
  type        = string
  description = "Size of the Glue jobs' workers. The R types need version 6 of the AWS provider."
  default     = "G.1X"

  validation {
    condition     = contains(["G.1X", "G.2X", "G.4X", "G.8X", "R.1X", "R.2X", "R.4X", "R.8X"], var.worker_type)
    error_message = "worker_type must be one of G.1X, G.2X, G.4X, G.8X, R.1X, R.2X, R.4X, R.8X."
  }
}

variable "extractor_workers" {
  type        = number
  description = "Workers of the extractor, including the driver. It uses only the driver, and 2 is the fewest that Glue starts."
  default     = 2

  validation {
    condition     = var.extractor_workers >= 2 && floor(var.extractor_workers) == var.extractor_workers
    error_message = "extractor_workers must be a whole number, 2 or more."
  }
}

variable "transformer_workers" {
  type        = number
  description = "Workers of the transformer, including the driver."
  default     = 2

  validation {
    condition     = var.transformer_workers >= 2 && floor(var.transformer_workers) == var.transformer_workers
    error_message = "transformer_workers must be a whole number, 2 or more."
  }
}

variable "timeout_minutes" {
  type        = number
  description = "Minutes after which Glue stops a job run."
  default     = 120

  validation {
    condition     = var.timeout_minutes >= 1 && var.timeout_minutes <= 10080 && floor(var.timeout_minutes) == var.timeout_minutes
    error_message = "timeout_minutes must be a whole number from 1 to 10080."
  }
}

variable "max_retries" {
  type        = number
  description = "How many times Glue retries a failed job run."
  default     = 1

  validation {
    condition     = var.max_retries >= 0 && var.max_retries <= 10 && floor(var.max_retries) == var.max_retries
    error_message = "max_retries must be a whole number from 0 to 10."
  }
}

variable "extractor_arguments" {
  type        = map(string)
  description = "Arguments of the extractor that are added to the default ones or replace them, for example {\"--workers\" = \"4\"}."
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.extractor_arguments) : startswith(key, "--")])
    error_message = "The names in extractor_arguments must start with --, for example {\"--workers\" = \"4\"}."
  }
}

variable "transformer_arguments" {
  type        = map(string)
  description = "Arguments of the transformer that are added to the default ones or replace them, for example {\"--workers\" = \"4\"}."
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.transformer_arguments) : startswith(key, "--")])
    error_message = "The names in transformer_arguments must start with --, for example {\"--workers\" = \"4\"}."
  }
}

variable "report" {
  type        = bool
  description = "Whether the transformer writes the report, pages of HTML, to the bucket's _report/ after each run."
  default     = false
}

variable "glue_metrics" {
  type        = bool
  description = "Whether the jobs publish Glue's job metrics. CloudWatch bills each of them as a custom metric."
  default     = false
}

variable "reserved_concurrency" {
  type        = number
  description = "Concurrent executions reserved for the starter, which is also its limit; null reserves none. New accounts have too few to reserve any."
  default     = null

  validation {
    condition     = var.reserved_concurrency == null ? true : var.reserved_concurrency >= 1 && floor(var.reserved_concurrency) == var.reserved_concurrency
    error_message = "reserved_concurrency must be null or a whole number, 1 or more."
  }
}

# What to keep, and for how long

variable "noncurrent_days" {
  type        = number
  description = "Days to keep replaced and deleted objects, which is how long a mistake can be undone."
  default     = 30

  validation {
    condition     = var.noncurrent_days >= 1 && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "noncurrent_days must be a whole number, 1 or more."
  }
}

variable "query_result_days" {
  type        = number
  description = "Days to keep the results of Athena queries."
  default     = 7

  validation {
    condition     = var.query_result_days >= 1 && floor(var.query_result_days) == var.query_result_days
    error_message = "query_result_days must be a whole number, 1 or more."
  }
}

variable "log_retention_days" {
  type        = number
  description = "Days to keep the logs of the jobs and of the starter."
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be one of CloudWatch Logs' retention periods: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "force_destroy" {
  type        = bool
  description = "Whether `terraform destroy` may delete the bucket with all the data in it."
  default     = false
}

# How to query

variable "scan_limit_gb" {
  type        = number
  description = "Gigabytes that an Athena query may scan before Athena cancels it."
  default     = 10

  validation {
    condition     = var.scan_limit_gb >= 0.01
    error_message = "scan_limit_gb must be 0.01 or more, because 10 MB is Athena's lowest limit."
  }
}

variable "partition_index" {
  type        = bool
  description = "Whether tables partitioned by date and ticker have a partition index, which lets Athena fetch only the partitions that a query needs."
  default     = true
}

# Whom to tell, and of what

variable "monitoring" {
  type        = bool
  description = "Whether to create alarms, a dashboard and, if `budget` is set, a budget."
  default     = true
}

variable "email" {
  type        = string
  description = "Address to send alarms to. Its owner must confirm the subscription. null sends no mail."
  default     = null

  validation {
    condition     = var.email == null ? true : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.email))
    error_message = "email must be null or an address, for example you@example.com."
  }
}

variable "quiet_hours" {
  type        = number
  description = "Hours without a new manifest after which an alarm goes off. Weekends and holidays don't count. 26 suits a run on every weekday."
  default     = 26

  validation {
    condition     = var.quiet_hours >= 1 && var.quiet_hours <= 168 && floor(var.quiet_hours) == var.quiet_hours
    error_message = "quiet_hours must be a whole number from 1 to 168, the longest that CloudWatch looks back."
  }
}

variable "holidays" {
  type        = list(string)
  description = "Weekdays on which no manifest is expected, YYYY-MM-DD. The default is the New York Stock Exchange's from 2026 to 2028."
  default = [
    "2026-01-01", "2026-01-19", "2026-02-16", "2026-04-03", "2026-05-25",
    "2026-06-19", "2026-07-03", "2026-09-07", "2026-11-26", "2026-12-25",
    "2027-01-01", "2027-01-18", "2027-02-15", "2027-03-26", "2027-05-31",
    "2027-06-18", "2027-07-05", "2027-09-06", "2027-11-25", "2027-12-24",
    "2028-01-17", "2028-02-21", "2028-04-14", "2028-05-29", "2028-06-19",
    "2028-07-04", "2028-09-04", "2028-11-23", "2028-12-25",
  ]

  validation {
    condition = alltrue([
      for day in var.holidays :
      can(regex("^\\d{4}-\\d{2}-\\d{2}$", day)) && can(formatdate("YYYY", "${day}T00:00:00Z"))
    ])
    error_message = "holidays must be dates, YYYY-MM-DD."
  }

  validation {
    condition     = length(var.holidays) <= 45
    error_message = "holidays may hold at most 45 dates, because a CloudWatch expression has room for no more."
  }
}

variable "budget" {
  type        = number
  description = "US dollars per month above which a warning is sent; null for none. It covers the whole account, not only the lake."
  default     = null

  validation {
    condition     = var.budget == null ? true : var.budget > 0
    error_message = "budget must be null or greater than 0."
  }
}

# What a company's account may require

variable "existing_bucket" {
  type        = string
  description = "Name of an existing bucket to use instead of a new one. Terraform replaces its event notifications and leaves everything else to its owner, so the inputs about keeping objects have no effect. null creates one, named after the lake and the account."
  default     = null

  validation {
    condition     = var.existing_bucket == null ? true : can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.existing_bucket))
    error_message = "existing_bucket must be null or the name of a bucket without dots. The bucket must already exist."
  }
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of a KMS key that encrypts the bucket, the queues, the topic, the logs, the function's settings and Athena's results; null uses keys that AWS manages."
  default     = null

  validation {
    condition     = var.kms_key_arn == null ? true : can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+$", var.kms_key_arn))
    error_message = "kms_key_arn must be null or the ARN of a key, arn:aws:kms:<region>:<account>:key/<id>. An alias won't do."
  }
}

variable "permissions_boundary_arn" {
  type        = string
  description = "ARN of the permissions boundary of every role; null for none."
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null ? true : can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be null or the ARN of a policy."
  }
}

variable "iam_path" {
  type        = string
  description = "Path of the roles and of the reader policy."
  default     = "/"

  validation {
    condition     = can(regex("^/([A-Za-z0-9+=,.@_-]+/)*$", var.iam_path))
    error_message = "iam_path must start and end with a slash, for example /teams/data/."
  }
}

variable "glue_connection" {
  type        = string
  description = "Name of an existing Glue network connection through which the jobs run inside a VPC; null runs them outside. The VPC must reach Yahoo, S3, Glue and CloudWatch Logs."
  default     = null

  validation {
    condition     = var.glue_connection == null ? true : can(regex("^[A-Za-z0-9_.-]{1,255}$", var.glue_connection))
    error_message = "glue_connection must be null or the name of a Glue connection: 1 to 255 letters, digits and . _ -."
  }
}

variable "lake_formation" {
  type        = bool
  description = "Whether to grant Lake Formation permissions. Needed where Lake Formation, rather than IAM alone, controls the Data Catalog. Whoever applies must be a data lake administrator."
  default     = false
}

variable "lake_formation_readers" {
  type        = list(string)
  description = "ARNs of the roles and users that Lake Formation lets read the tables. Used only if `lake_formation` is true."
  default     = []

  validation {
    condition     = alltrue([for reader in var.lake_formation_readers : can(regex("^arn:[a-z-]+:iam::[0-9]{12}:(role|user)/.+$", reader))])
    error_message = "lake_formation_readers must be ARNs of IAM roles or users."
  }
}
