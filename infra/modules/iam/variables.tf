variable "name" {
  type        = string
  description = "Prefix of the roles' names."

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,36}$", var.name))
    error_message = "name must be 3 to 37 lower-case letters, digits and hyphens, and start with a letter."
  }
}

variable "region" {
  type        = string
  description = "Region of the jobs, the catalog and the logs."

  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "region must be the name of an AWS region, for example us-east-1."
  }
}

variable "bucket_arn" {
  type        = string
  description = "ARN of the lake's bucket."

  validation {
    condition     = can(regex("^arn:[a-z-]+:s3:::", var.bucket_arn))
    error_message = "bucket_arn must be the ARN of a bucket."
  }
}

variable "extractor_job" {
  type        = string
  description = "Name of the Glue job that extracts."

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,255}$", var.extractor_job))
    error_message = "extractor_job must be the name of a Glue job: letters, digits, hyphens and underscores."
  }
}

variable "transformer_job" {
  type        = string
  description = "Name of the Glue job that transforms."

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,255}$", var.transformer_job))
    error_message = "transformer_job must be the name of a Glue job: letters, digits, hyphens and underscores."
  }
}

variable "database" {
  type        = string
  description = "Name of the database in the Glue Data Catalog."

  validation {
    condition     = can(regex("^[a-z][a-z0-9_]*$", var.database))
    error_message = "database must be lower-case letters, digits and underscores, and start with a letter."
  }
}

variable "starter" {
  type        = string
  description = "Name of the starter Lambda function; its log group has the same."

  validation {
    condition     = can(regex("^[A-Za-z0-9_-]{1,64}$", var.starter))
    error_message = "starter must be the name of a Lambda function: at most 64 letters, digits, hyphens and underscores."
  }
}

variable "starter_dlq_arn" {
  type        = string
  description = "ARN of the queue of events that the starter could not handle."

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:", var.starter_dlq_arn))
    error_message = "starter_dlq_arn must be the ARN of a queue."
  }
}

variable "schedule_dlq_arn" {
  type        = string
  description = "ARN of the queue of starts that the schedule could not deliver."

  validation {
    condition     = can(regex("^arn:[a-z-]+:sqs:", var.schedule_dlq_arn))
    error_message = "schedule_dlq_arn must be the ARN of a queue."
  }
}
