variable "name" {
  type        = string
  description = "Name of the schedule."
}

variable "job" {
  type        = string
  description = "Name of the Glue job to start."
}

variable "role_arn" {
  type        = string
  description = "ARN of the role that may start the job."
}

variable "expression" {
  type        = string
  description = "When to start the job: a cron(...) or rate(...) expression of EventBridge Scheduler."
}

variable "timezone" {
  type        = string
  description = "IANA name of the expression's time zone."
}

variable "enabled" {
  type        = bool
  description = "Whether the schedule is on."
  default     = true
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key of the queue; null for a key that SQS manages."
  default     = null
}
