variable "name" {
  type        = string
  description = "Begins the aliases of the keys: project and environment."
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "Small letters, digits and hyphens, 3 to 31 of them, beginning with a letter."
  }
}

variable "account_id" {
  type        = string
  description = "The account, whose own policies decide who may use the keys."
  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account is 12 digits."
  }
}

variable "region" {
  type        = string
  description = "The region, which is part of the names of its services."
}

variable "deletion_window_days" {
  type        = number
  description = "Days in which a key that was deleted can be brought back. What it encrypted is lost with it."
  default     = 30
  validation {
    condition     = var.deletion_window_days >= 7 && var.deletion_window_days <= 30
    error_message = "Amazon allows 7 to 30 days."
  }
}
