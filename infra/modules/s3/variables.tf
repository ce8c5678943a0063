variable "bucket" {
  type        = string
  description = "Name of the bucket."

  validation {
    condition     = can(regex("^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$", var.bucket))
    error_message = "bucket must be 3 to 63 lower-case letters, digits and hyphens, with a letter or digit at both ends."
  }
}

variable "starter_arn" {
  type        = string
  description = "ARN of the Lambda function that hears of every new manifest. S3 must have the permission to invoke it before this value is known."

  validation {
    condition     = can(regex("^arn:[a-z-]+:lambda:", var.starter_arn))
    error_message = "starter_arn must be the ARN of a Lambda function."
  }
}

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

variable "force_destroy" {
  type        = bool
  description = "Whether `terraform destroy` may delete the bucket with all data in it."
  default     = false
}
