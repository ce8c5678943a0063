variable "database" {
  type        = string
  description = "Name of the database in the Glue Data Catalog."
}

variable "transformer_role_arn" {
  type        = string
  description = "ARN of the transformer's role."
}

variable "readers" {
  type        = list(string)
  description = "ARNs of the roles and users that may read the tables."
  default     = []
}
