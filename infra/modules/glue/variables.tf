variable "name" {
  type        = string
  description = "Prefix of the jobs' names."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,36}$", var.name))
    error_message = "name must be 3 to 37 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "bucket" {
  type        = string
  description = "Name of the bucket that is the lake; scripts, wheel and settings are put below its _artifacts/ and _config/."

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket must be the name of a bucket."
  }
}

variable "dist" {
  type        = string
  description = "Folder that `make dist` has filled: wheel, requirements and scripts."

  validation {
    condition     = length(fileset(var.dist, "tickerlake-*-py3-none-any.whl")) == 1
    error_message = "dist must hold exactly one tickerlake-<version>-py3-none-any.whl: run `make dist`."
  }

  validation {
    condition = alltrue([
      for file in ["glue-requirements.txt", "glue_extractor_job.py", "glue_transformer_job.py"] :
      fileexists("${var.dist}/${file}")
    ])
    error_message = "dist must hold glue-requirements.txt, glue_extractor_job.py and glue_transformer_job.py: run `make dist`."
  }
}

variable "extractor_role_arn" {
  type        = string
  description = "ARN of the extractor's role."

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::", var.extractor_role_arn))
    error_message = "extractor_role_arn must be the ARN of a role."
  }
}

variable "transformer_role_arn" {
  type        = string
  description = "ARN of the transformer's role."

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::", var.transformer_role_arn))
    error_message = "transformer_role_arn must be the ARN of a role."
  }
}

variable "database" {
  type        = string
  description = "Database of the Data Catalog in which the transformer registers partitions."

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]*$", var.database))
    error_message = "database must be lower-case letters, digits and underscores, and start with a letter."
  }
}

variable "tickers" {
  type        = list(string)
  description = "Symbols to extract, as Yahoo spells them."

  validation {
    condition     = length(var.tickers) > 0
    error_message = "tickers must name one symbol or more."
  }
}

variable "start" {
  type        = string
  description = "First session of a new ticker's backfill, YYYY-MM-DD."

  validation {
    condition     = can(regex("^\\d{4}-\\d{2}-\\d{2}$", var.start)) && can(formatdate("YYYY", "${var.start}T00:00:00Z"))
    error_message = "start must be a date, YYYY-MM-DD."
  }
}

variable "grain" {
  type        = string
  description = "Partition grain of a new lake: day, month or year."

  validation {
    condition     = contains(["day", "month", "year"], var.grain)
    error_message = "grain must be day, month or year."
  }
}

variable "requests_per_second" {
  type        = number
  description = "Request budget for Yahoo."

  validation {
    condition     = var.requests_per_second > 0
    error_message = "requests_per_second must be above 0."
  }
}

variable "extractor_arguments" {
  type        = map(string)
  description = "More arguments of the extractor, or others than the default ones."
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.extractor_arguments) : startswith(key, "--")])
    error_message = "The names in extractor_arguments must begin with --, for example {\"--workers\" = \"4\"}."
  }
}

variable "transformer_arguments" {
  type        = map(string)
  description = "More arguments of the transformer, or others than the default ones."
  default     = {}

  validation {
    condition     = alltrue([for key in keys(var.transformer_arguments) : startswith(key, "--")])
    error_message = "The names in transformer_arguments must begin with --, for example {\"--workers\" = \"4\"}."
  }
}

variable "worker_type" {
  type        = string
  description = "Size of the jobs' workers."
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
