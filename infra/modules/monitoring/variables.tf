variable "name" {
  type        = string
  description = "Prefix of the names of the alarms, the topic and the rule."
}

variable "region" {
  type        = string
  description = "Region of the jobs, the metrics and the logs."
}

variable "jobs" {
  type        = list(string)
  description = "Names of the Glue jobs to watch."
}

variable "job_logs" {
  type        = map(string)
  description = "Names of the jobs' log groups: output and error."
}

variable "job_metrics" {
  type        = bool
  description = "Whether the jobs publish Glue's metrics, which the dashboard then shows."
  default     = false
}

variable "function" {
  type        = string
  description = "Name of the starter, a Lambda function that is invoked only when a manifest arrives."
}

variable "queues" {
  type        = map(string)
  description = "Names of the dead-letter queues to watch, by what sends to them."
}

variable "workgroup" {
  type        = string
  description = "Name of the Athena workgroup."
}

variable "email" {
  type        = string
  description = "Address to send alarms to; null for none."
  default     = null
}

variable "quiet_hours" {
  type        = number
  description = "Hours without a new manifest after which an alarm goes off. Weekends and holidays don't count."
  default     = 26
}

variable "holidays" {
  type        = list(string)
  description = "Weekdays on which no manifest is expected, YYYY-MM-DD."
  default     = []
}

variable "budget" {
  type        = number
  description = "US dollars per month above which a warning is sent; null for none."
  default     = null
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key of the topic and the queue; null for none."
  default     = null
}
