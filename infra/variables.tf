variable "name" {
  type        = string
  description = "Name of the lake and prefix of everything in it; unique in the account. The bucket is <name>-<account id>."

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

variable "tags" {
  type        = map(string)
  description = "Tags of every resource, beside `lake`."
  default     = {}

  validation {
    condition     = length(var.tags) <= 9 && !contains(keys(var.tags), "lake")
    error_message = "tags may be 9 at most, since objects in S3 can't have more than 10, and none may be called lake."
  }
}

variable "dist" {
  type        = string
  description = "Folder that `make dist` has filled: wheel, requirements, scripts and the starter's zip."
  default     = "../dist"

  validation {
    condition     = length(fileset(var.dist, "tickerlake-*-py3-none-any.whl")) == 1
    error_message = "dist must hold exactly one tickerlake-<version>-py3-none-any.whl: run `make dist`."
  }

  validation {
    condition = alltrue([
      for file in ["glue-requirements.txt", "glue_extractor_job.py", "glue_transformer_job.py", "starter.zip"] :
      fileexists("${var.dist}/${file}")
    ])
    error_message = "dist must hold glue-requirements.txt, glue_extractor_job.py, glue_transformer_job.py and starter.zip: run `make dist`."
  }
}

# what is extracted

variable "tickers" {
  type        = list(string)
  description = "Symbols to extract, as Yahoo spells them, in capitals."
  default     = ["AAPL", "AMZN", "GOOG", "MSFT", "NVDA", "^GSPC"]

  validation {
    condition     = length(var.tickers) > 0
    error_message = "tickers must name one symbol or more."
  }

  validation {
    condition     = alltrue([for ticker in var.tickers : can(regex("^[A-Z0-9^][A-Z0-9.=&^_-]{0,23}$", ticker))])
    error_message = "tickers must be 1 to 24 capital letters, digits and . - = & ^ _, as in AAPL, BRK-B, ^GSPC, 0700.HK, EURUSD=X, BTC-USD."
  }

  validation {
    condition     = length(var.tickers) == length(distinct(var.tickers))
    error_message = "tickers must name every symbol once."
  }
}

variable "start" {
  type        = string
  description = "First session of a new ticker's backfill, YYYY-MM-DD."
  default     = "2020-01-01"

  validation {
    condition     = can(regex("^\\d{4}-\\d{2}-\\d{2}$", var.start)) && can(formatdate("YYYY", "${var.start}T00:00:00Z"))
    error_message = "start must be a date, YYYY-MM-DD."
  }
}

variable "grain" {
  type        = string
  description = "Partition grain of the lake: day, month or year; chosen once. Day suits a few dozen tickers and years, year large universes."
  default     = "day"

  validation {
    condition     = contains(["day", "month", "year"], var.grain)
    error_message = "grain must be day, month or year."
  }
}

variable "requests_per_second" {
  type        = number
  description = "Request budget for Yahoo."
  default     = 5

  validation {
    condition     = var.requests_per_second > 0
    error_message = "requests_per_second must be above 0."
  }
}

variable "schedule" {
  type        = string
  description = "When to extract: cron(...) or rate(...), as EventBridge Scheduler has them."
  default     = "cron(30 17 ? * MON-FRI *)"

  validation {
    condition     = can(regex("^(cron\\(\\S+( \\S+){5}\\)|rate\\([1-9][0-9]* (minutes?|hours?|days?)\\))$", var.schedule))
    error_message = "schedule must be cron(...) with six fields, or rate(...), for example cron(30 17 ? * MON-FRI *)."
  }
}

variable "timezone" {
  type        = string
  description = "The schedule's time zone, an IANA name: the exchange's, so that daylight saving changes nothing."
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

# how the jobs run

variable "worker_type" {
  type        = string
  description = "Size of the Glue jobs' workers."
  default     = "G.1X"

  validation {
    condition     = contains(["G.1X", "G.2X", "G.4X", "G.8X", "R.1X", "R.2X", "R.4X", "R.8X"], var.worker_type)
    error_message = "worker_type must be one of G.1X, G.2X, G.4X, G.8X, R.1X, R.2X, R.4X, R.8X."
  }
}

variable "extractor_workers" {
  type        = number
  description = "Workers of the extractor, the driver included. It works on the driver alone: 2 is the least that Glue starts."
  default     = 2

  validation {
    condition     = var.extractor_workers >= 2 && floor(var.extractor_workers) == var.extractor_workers
    error_message = "extractor_workers must be a whole number, 2 or more: Glue starts no fewer."
  }
}

variable "transformer_workers" {
  type        = number
  description = "Workers of the transformer, the driver included."
  default     = 2

  validation {
    condition     = var.transformer_workers >= 2 && floor(var.transformer_workers) == var.transformer_workers
    error_message = "transformer_workers must be a whole number, 2 or more: Glue starts no fewer."
  }
}

variable "timeout_minutes" {
  type        = number
  description = "Minutes after which a job run is ended."
  default     = 120

  validation {
    condition     = var.timeout_minutes >= 1 && var.timeout_minutes <= 10080 && floor(var.timeout_minutes) == var.timeout_minutes
    error_message = "timeout_minutes must be a whole number, 1 to 10080."
  }
}

variable "max_retries" {
  type        = number
  description = "How often a failed job run is repeated."
  default     = 1

  validation {
    condition     = var.max_retries >= 0 && var.max_retries <= 10 && floor(var.max_retries) == var.max_retries
    error_message = "max_retries must be a whole number, 0 to 10."
  }
}

variable "extractor_arguments" {
  type        = map(string)
  description = "More arguments of the extractor, or others than the default ones, for example {\"--workers\" = \"4\"}."
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.extractor_arguments) : startswith(key, "--")])
    error_message = "The names in extractor_arguments must begin with --, for example {\"--workers\" = \"4\"}."
  }
}

variable "transformer_arguments" {
  type        = map(string)
  description = "More arguments of the transformer, or others than the default ones, for example {\"--workers\" = \"4\"}."
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.transformer_arguments) : startswith(key, "--")])
    error_message = "The names in transformer_arguments must begin with --, for example {\"--workers\" = \"4\"}."
  }
}

variable "reserved_concurrency" {
  type        = number
  description = "Concurrent executions that are kept for the starter, and its limit; null reserves none. New accounts have too few to reserve any."
  default     = null

  validation {
    condition     = var.reserved_concurrency == null ? true : var.reserved_concurrency >= 1 && floor(var.reserved_concurrency) == var.reserved_concurrency
    error_message = "reserved_concurrency must be null or a whole number, 1 or more."
  }
}

# what is kept, and for how long

variable "noncurrent_days" {
  type        = number
  description = "Days that replaced and deleted objects are kept: how long a mistake can be undone."
  default     = 30

  validation {
    condition     = var.noncurrent_days >= 1 && floor(var.noncurrent_days) == var.noncurrent_days
    error_message = "noncurrent_days must be a whole number, 1 or more."
  }
}

variable "query_result_days" {
  type        = number
  description = "Days that results of Athena queries are kept."
  default     = 7

  validation {
    condition     = var.query_result_days >= 1 && floor(var.query_result_days) == var.query_result_days
    error_message = "query_result_days must be a whole number, 1 or more."
  }
}

variable "log_retention_days" {
  type        = number
  description = "Days that the starter's log is kept. Glue's log groups belong to all jobs of the account, so they are left alone."
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "force_destroy" {
  type        = bool
  description = "Whether `terraform destroy` may delete the bucket with all data in it."
  default     = false
}

variable "scan_limit_gb" {
  type        = number
  description = "Gigabytes that an Athena query may scan before it is cancelled."
  default     = 10

  validation {
    condition     = var.scan_limit_gb >= 0.01
    error_message = "scan_limit_gb must be 0.01 or more: Athena knows no lower limit than 10 MB."
  }
}

# who is told, and of what

variable "monitoring" {
  type        = bool
  description = "Whether there are alarms, a dashboard and a budget."
  default     = true
}

variable "email" {
  type        = string
  description = "Address that gets the alarms, after it has confirmed; null for none."
  default     = null

  validation {
    condition     = var.email == null ? true : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.email))
    error_message = "email must be null or an address, for example you@example.com."
  }
}

variable "quiet_hours" {
  type        = number
  description = "Hours without a new manifest, weekends and holidays not counted, after which there is an alarm. 26 suits a run on every weekday."
  default     = 26

  validation {
    condition     = var.quiet_hours >= 1 && var.quiet_hours <= 168 && floor(var.quiet_hours) == var.quiet_hours
    error_message = "quiet_hours must be a whole number, 1 to 168: CloudWatch looks back no further."
  }
}

variable "holidays" {
  type        = list(string)
  description = "Weekdays on which no manifest is expected, YYYY-MM-DD; as a default those of the New York Stock Exchange from 2026 to 2028."
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
    error_message = "holidays may be 45 at most: an expression of CloudWatch holds no more."
  }
}

variable "budget" {
  type        = number
  description = "US dollars a month that the account may cost before there is a warning; null for no budget."
  default     = 25

  validation {
    condition     = var.budget == null ? true : var.budget > 0
    error_message = "budget must be null or above 0."
  }
}
