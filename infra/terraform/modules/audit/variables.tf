variable "name" {
  type        = string
  description = "The trail's name."
}

variable "bucket_arns" {
  type        = list(string)
  description = "The buckets of which every reading and writing is kept."
  validation {
    condition     = length(var.bucket_arns) > 0
    error_message = "At least one."
  }
}

variable "logs_bucket" {
  type        = string
  description = "Where the trail goes, below trail/."
}

variable "key_arn" {
  type        = string
  description = "The key of the trail."
}
