variable "name" {
  type        = string
  description = "Name of the schedule."

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,60}$", var.name))
    error_message = "name must be at most 60 letters, digits, hyphens and underscores."
  }
}

variable "job" {
  type        = string
  description = "Name of the Glue job to start."

  validation {
    condition     = length(var.job) > 0
    error_message = "job must be the name of a Glue job."
  }
}

variable "role_arn" {
  type        = string
  description = "ARN of the role that may start the job."

  validation {
    condition     = can(regex("^arn:[a-z-]+:iam::", var.role_arn))
    error_message = "role_arn must be the ARN of a role."
  }
}

variable "expression" {
  type        = string
  description = "When to start: cron(...) or rate(...), as EventBridge Scheduler has them."

  validation {
    condition     = can(regex("^(cron\\(\\S+( \\S+){5}\\)|rate\\([1-9][0-9]* (minutes?|hours?|days?)\\))$", var.expression))
    error_message = "expression must be cron(...) with six fields, or rate(...), for example cron(30 17 ? * MON-FRI *)."
  }
}

variable "timezone" {
  type        = string
  description = "The expression's time zone, an IANA name."

  validation {
    condition     = can(regex("^(UTC|[A-Z][A-Za-z]+(/[A-Za-z0-9_+-]+)+)$", var.timezone))
    error_message = "timezone must be an IANA name, for example America/New_York or UTC."
  }
}

variable "enabled" {
  type        = bool
  description = "Whether the schedule is on."
  default     = true
}
