variable "name" {
  type        = string
  description = "Prefix of the names of the roles and of the reader policy."
}

variable "region" {
  type        = string
  description = "Region of the jobs, the catalog and the logs."
}

variable "bucket_arn" {
  type        = string
  description = "ARN of the lake's bucket."
}

variable "extractor_job" {
  type        = string
  description = "Name of the Glue job that extracts."
}

variable "transformer_job" {
  type        = string
  description = "Name of the Glue job that transforms."
}

variable "compactor_job" {
  type        = string
  description = "Name of the Glue job that compacts."
}

variable "job_logs" {
  type        = string
  description = "Prefix of the names of the jobs' log groups."
}

variable "report" {
  type        = bool
  description = "Whether the transformer writes the report to the bucket's _report/."
  default     = false
}

variable "job_metrics" {
  type        = bool
  description = "Whether the jobs publish Glue's metrics."
  default     = false
}

variable "database" {
  type        = string
  description = "Name of the database in the Glue Data Catalog."
}

variable "workgroup" {
  type        = string
  description = "Name of the Athena workgroup that readers use."
}

variable "starter" {
  type        = string
  description = "Name of the starter, which is a Lambda function."
}

variable "starter_dlq_arn" {
  type        = string
  description = "ARN of the queue of events that the starter could not handle."
}

variable "schedule_dlq_arn" {
  type        = string
  description = "ARN of the queue of starts that the schedules could not deliver."
}

variable "kms_key_arn" {
  type        = string
  description = "ARN of the KMS key of the bucket and the queues; null for none."
  default     = null
}

variable "connection" {
  type        = string
  description = "Name of the Glue connection through which the jobs run in a VPC; null for none."
  default     = null
}

variable "path" {
  type        = string
  description = "Path of the roles and of the reader policy."
  default     = "/"
}

variable "permissions_boundary_arn" {
  type        = string
  description = "ARN of the permissions boundary of every role; null for none."
  default     = null
}
