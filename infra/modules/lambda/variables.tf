variable "name" {
  type        = string
  description = "Name of the function."

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.name))
    error_message = "name must be at most 64 letters, digits, hyphens and underscores."
  }
}

variable "package" {
  type        = string
  description = "Path of the function's zip file, starter.zip of `make dist`."

  validation {
    condition     = endswith(var.package, ".zip") && fileexists(var.package)
    error_message = "package must be the path of a zip file that is there: run `make dist`."
  }
}

variable "role_arn" {
  type        = string
  description = "ARN of the function's role."

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::", var.role_arn))
    error_message = "role_arn must be the ARN of a role."
  }
}

variable "transformer_job" {
  type        = string
  description = "Name of the Glue job to start."

  validation {
    condition     = length(var.transformer_job) > 0
    error_message = "transformer_job must be the name of a Glue job."
  }
}

variable "bucket_arn" {
  type        = string
  description = "ARN of the bucket whose events are handled."

  validation {
    condition     = can(regex("^arn:[a-z-]+:s3:::", var.bucket_arn))
    error_message = "bucket_arn must be the ARN of a bucket."
  }
}

variable "log_retention_days" {
  type        = number
  description = "Days that the function's log is kept."
  default     = 90

  validation {
    condition     = contains([1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653], var.log_retention_days)
    error_message = "log_retention_days must be a period that CloudWatch Logs knows: 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288 or 3653."
  }
}

variable "reserved_concurrency" {
  type        = number
  description = "Concurrent executions that are kept for the function, and its limit; null reserves none. New accounts have too few to reserve any."
  default     = null

  validation {
    condition     = var.reserved_concurrency == null ? true : var.reserved_concurrency >= 1 && floor(var.reserved_concurrency) == var.reserved_concurrency
    error_message = "reserved_concurrency must be null or a whole number, 1 or more."
  }
}
