variable "name" {
  type        = string
  description = "The repository's name."
  default     = "lakesmith"
}

variable "account_id" {
  type        = string
  description = "The account that keeps the images."
}

variable "reader_accounts" {
  type        = list(string)
  description = "Other accounts whose EMR Serverless takes images from here, as where prod has one of its own."
  default     = []
  validation {
    condition     = alltrue([for account in var.reader_accounts : can(regex("^[0-9]{12}$", account))])
    error_message = "An account is 12 digits."
  }
}

variable "kept_images" {
  type        = number
  description = "So many releases can be gone back to."
  default     = 50
  validation {
    condition     = var.kept_images >= 10
    error_message = "At least 10: a rollback names a digest that must still be there."
  }
}
