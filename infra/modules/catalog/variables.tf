variable "database" {
  type        = string
  description = "Name of the database."

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]*$", var.database))
    error_message = "database must be lower-case letters, digits and underscores, and start with a letter."
  }
}

variable "lake" {
  type        = string
  description = "URL of the lake, without a slash at its end."

  validation {
    condition     = can(regex("^s3://[^/]+(/[^/]+)*$", var.lake))
    error_message = "lake must be s3://bucket or s3://bucket/prefix, without a slash at its end."
  }
}
