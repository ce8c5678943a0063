variable "name" {
  type        = string
  description = "Prefix of the jobs' names."
}

variable "region" {
  type        = string
  description = "Region that the jobs are told to use."
}

variable "bucket" {
  type        = string
  description = "Name of the lake's bucket. Scripts and packages go to its _artifacts/, settings to its _config/."
}

variable "dist" {
  type        = string
  description = "Folder that `make dist` fills with the wheels and the job scripts."
}

variable "extractor_role_arn" {
  type        = string
  description = "ARN of the extractor's role."
}

variable "transformer_role_arn" {
  type        = string
  description = "ARN of the transformer's role."
}

variable "compactor_role_arn" {
  type        = string
  description = "ARN of the compactor's role."
}

variable "database" {
  type        = string
  description = "Database of the Data Catalog in which the transformer registers partitions."
}

variable "tickers" {
  type        = list(string)
  description = "Tickers to extract, as Yahoo spells them."
}

variable "start" {
  type        = string
  description = "First session to fetch for a new ticker, YYYY-MM-DD."
}

variable "grain" {
  type        = string
  description = "Partition grain of a new lake: day, month or year."
}

variable "requests_per_second" {
  type        = number
  description = "Requests per second that the extractor may send to Yahoo."
}

variable "extractor_arguments" {
  type        = map(string)
  description = "Arguments of the extractor that are added to the default ones or replace them."
  default     = {}
}

variable "transformer_arguments" {
  type        = map(string)
  description = "Arguments of the transformer that are added to the default ones or replace them."
  default     = {}
}

variable "report" {
  type        = bool
  description = "Whether the transformer writes the report to the bucket's _report/ after each run."
  default     = false
}

variable "worker_type" {
  type        = string
  description = "Size of the jobs' workers."
  default     = "G.1X"
}

variable "extractor_workers" {
  type        = number
  description = "Workers of the extractor, including the driver."
  default     = 2
}

variable "transformer_workers" {
  type        = number
  description = "Workers of the transformer, including the driver."
  default     = 2
}

variable "timeout_minutes" {
  type        = number
  description = "Minutes after which Glue stops a job run."
  default     = 120
}

variable "max_retries" {
  type        = number
  description = "How many times Glue retries a failed job run."
  default     = 1
}

variable "queueing" {
  type        = bool
  description = "Whether Glue may queue job runs. It doesn't retry queued ones, so the root leaves this off."
  default     = false
}

variable "metrics" {
  type        = bool
  description = "Whether the jobs publish Glue's job metrics."
  default     = false
}

variable "connection" {
  type        = string
  description = "Name of the Glue connection through which the jobs run in a VPC; null for none."
  default     = null
}

variable "logs" {
  type        = string
  description = "Prefix of the names of the jobs' log groups. Glue appends /output and /error."
}

variable "log_retention_days" {
  type        = number
  description = "Days to keep the jobs' logs."
  default     = 90
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key of the logs; null for CloudWatch's own key."
  default     = null
}
