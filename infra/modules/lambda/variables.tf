variable "name" {
  type        = string
  description = "Name of the function."
}

variable "package" {
  type        = string
  description = "Path of the function's zip file, which is the starter.zip of `make dist`."
}

variable "role_arn" {
  type        = string
  description = "ARN of the function's role."
}

variable "transformer_job" {
  type        = string
  description = "Name of the Glue job to start."
}

variable "bucket_arn" {
  type        = string
  description = "ARN of the bucket whose events the function handles."
}

variable "log_retention_days" {
  type        = number
  description = "Days to keep the function's log."
  default     = 90
}

variable "reserved_concurrency" {
  type        = number
  description = "Concurrent executions reserved for the function, which is also its limit; null reserves none."
  default     = null
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key of the queue, the log and the settings; null for keys that AWS manages."
  default     = null
}
