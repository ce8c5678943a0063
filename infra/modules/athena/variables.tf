variable "name" {
  type        = string
  description = "Name of the workgroup."
}

variable "bucket" {
  type        = string
  description = "Name of the bucket of the results, which go to its _athena/."
}

variable "database" {
  type        = string
  description = "Database that the saved queries read."
}

variable "grain" {
  type        = string
  description = "Partition grain of the lake, by which the saved queries select partitions."
}

variable "scan_limit_gb" {
  type        = number
  description = "Gigabytes that a query may scan before Athena cancels it."
  default     = 10
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key of the results; null for SSE-S3."
  default     = null
}
