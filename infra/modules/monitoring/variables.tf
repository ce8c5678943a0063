variable "name" {
  type        = string
  description = "Prefix of the names."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,36}$", var.name))
    error_message = "name must be 3 to 37 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "region" {
  type        = string
  description = "Region of the dashboard's metrics."

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of an AWS region, for example us-east-1."
  }
}

variable "jobs" {
  type        = list(string)
  description = "Names of the Glue jobs whose failures are told."

  validation {
    condition     = length(var.jobs) > 0
    error_message = "jobs must name one job or more."
  }
}

variable "function" {
  type        = string
  description = "Name of the starter Lambda function. It is invoked when a manifest arrives, and for nothing else."

  validation {
    condition     = length(var.function) > 0
    error_message = "function must be the name of a Lambda function."
  }
}

variable "queues" {
  type        = map(string)
  description = "Names of the dead-letter queues, by what they are for."

  validation {
    condition     = length(var.queues) > 0
    error_message = "queues must name one queue or more."
  }
}

variable "workgroup" {
  type        = string
  description = "Name of the Athena workgroup."

  validation {
    condition     = length(var.workgroup) > 0
    error_message = "workgroup must be the name of an Athena workgroup."
  }
}

variable "email" {
  type        = string
  description = "Address that gets the alarms, after it has confirmed; null for none."
  default     = null

  validation {
    condition     = var.email == null ? true : can(regex("^[^@\\s]+@[^@\\s]+\\.[^@\\s]+$", var.email))
    error_message = "email must be null or an address, for example you@example.com."
  }
}

variable "quiet_hours" {
  type        = number
  description = "Hours without a new manifest, weekends and holidays not counted, after which there is an alarm."
  default     = 26

  validation {
    condition     = var.quiet_hours >= 1 && var.quiet_hours <= 168 && floor(var.quiet_hours) == var.quiet_hours
    error_message = "quiet_hours must be a whole number, 1 to 168: CloudWatch looks back no further."
  }
}

variable "holidays" {
  type        = list(string)
  description = "Weekdays without a session, YYYY-MM-DD."
  default     = []

  validation {
    condition = alltrue([
      for day in var.holidays :
      can(regex("^\\d{4}-\\d{2}-\\d{2}$", day)) && can(formatdate("YYYY", "${day}T00:00:00Z"))
    ])
    error_message = "holidays must be dates, YYYY-MM-DD."
  }

  validation {
    condition     = length(var.holidays) <= 45
    error_message = "holidays may be 45 at most: an expression of CloudWatch holds no more."
  }
}

variable "budget" {
  type        = number
  description = "US dollars a month that the account may cost before there is a warning; null for no budget."
  default     = null

  validation {
    condition     = var.budget == null ? true : var.budget > 0
    error_message = "budget must be null or above 0."
  }
}
