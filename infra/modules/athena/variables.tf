variable "name" {
  type        = string
  description = "Name of the workgroup."

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]{1,128}$", var.name))
    error_message = "name must be at most 128 letters, digits, dots, hyphens and underscores."
  }
}

variable "bucket" {
  type        = string
  description = "Bucket of the results, which are put below its _athena/."

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket must be the name of a bucket."
  }
}

variable "database" {
  type        = string
  description = "Database that the saved queries read."

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]*$", var.database))
    error_message = "database must be lower-case letters, digits and underscores, and start with a letter."
  }
}

variable "grain" {
  type        = string
  description = "Partition grain of the lake, by which the saved queries choose partitions."

  validation {
    condition     = contains(["day", "month", "year"], var.grain)
    error_message = "grain must be day, month or year."
  }
}

variable "scan_limit_gb" {
  type        = number
  description = "Gigabytes that a query may scan before it is cancelled."
  default     = 10

  validation {
    condition     = var.scan_limit_gb >= 0.01
    error_message = "scan_limit_gb must be 0.01 or more: Athena knows no lower limit than 10 MB."
  }
}
