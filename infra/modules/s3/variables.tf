variable "bucket" {
  type        = string
  description = "Name of the bucket."
}

variable "create" {
  type        = bool
  description = "Whether to create the bucket. If not, it must already exist."
  default     = true
}

variable "starter_arn" {
  type        = string
  description = "ARN of the Lambda function to invoke for every new manifest. S3 must already be allowed to invoke it."
}

variable "noncurrent_days" {
  type        = number
  description = "Days to keep replaced and deleted objects."
}

variable "query_result_days" {
  type        = number
  description = "Days to keep the results of Athena queries."
}

variable "force_destroy" {
  type        = bool
  description = "Whether `terraform destroy` may delete the bucket with all the data in it."
  default     = false
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key that encrypts objects; null for SSE-S3."
  default     = null
}
