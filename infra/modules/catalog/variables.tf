variable "database" {
  type        = string
  description = "Name of the database."
}

variable "lake" {
  type        = string
  description = "URL of the lake, without a trailing slash."
}

variable "partition_index" {
  type        = bool
  description = "Whether tables partitioned by date and ticker have a partition index."
  default     = true
}
