variable "name" {
  type        = string
  description = "Prefix of the queue's name."
}

variable "schedules" {
  type = map(object({
    job        = string
    expression = string
    enabled    = bool
  }))
  description = "The Glue jobs to start: their names, cron(...) or rate(...) expressions of EventBridge Scheduler, and whether the schedule is on."
}

variable "role_arn" {
  type        = string
  description = "ARN of the role that may start the jobs."
}

variable "timezone" {
  type        = string
  description = "IANA name of the expressions' time zone."
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key of the queue; null for a key that SQS manages."
  default     = null
}
