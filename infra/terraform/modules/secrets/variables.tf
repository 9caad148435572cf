variable "name" {
  type        = string
  description = "Begins the names of the secrets: project and environment."
}

variable "names" {
  type        = map(string)
  description = "The secrets by name, with what each is for. Their values are put in by hand, so that no state holds them."
  default     = {}
  validation {
    condition     = alltrue([for name in keys(var.names) : can(regex("^[a-z][a-z0-9-]+$", name))])
    error_message = "A name is small letters, digits and hyphens."
  }
}

variable "key_arn" {
  type        = string
  description = "The key."
}

variable "recovery_days" {
  type        = number
  description = "Days in which a secret that was deleted can be brought back; 0 deletes at once, for places that come and go."
  default     = 30
  validation {
    condition     = var.recovery_days == 0 || (var.recovery_days >= 7 && var.recovery_days <= 30)
    error_message = "0, or 7 to 30."
  }
}
