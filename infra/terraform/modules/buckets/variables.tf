variable "name" {
  type        = string
  description = "Begins the names of the buckets: project and environment."
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,30}$", var.name))
    error_message = "Small letters, digits and hyphens, 3 to 31 of them, beginning with a letter."
  }
}

variable "account_id" {
  type        = string
  description = "The account; it ends the names of the buckets, which are the whole world's."
  validation {
    condition     = can(regex("^[0-9]{12}$", var.account_id))
    error_message = "An account is 12 digits."
  }
}

variable "data_key_arn" {
  type        = string
  description = "The key of everything but logs."
}

variable "lake_prefix" {
  type        = string
  description = "The folder of the lake in its bucket."
  default     = "lake"
}

variable "landing_prefix" {
  type        = string
  description = "The folder of the landing files in their bucket."
  default     = "landing"
}

variable "pipeline_role_arn" {
  type        = string
  description = "The one role that writes to tables."
}

variable "promoter_role_arn" {
  type        = string
  description = "The role that says which model is in use; in the lake it appends to ops.model_events, and to nothing else."
}

variable "landing_writers" {
  type        = list(string)
  description = "ARNs of the roles that deliver landing files, beside the pipeline's, which extracts them from databases."
  default     = []
  validation {
    condition     = alltrue([for arn in var.landing_writers : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", arn))])
    error_message = "Each is the ARN of a role."
  }
}

variable "break_glass_role_arns" {
  type        = list(string)
  description = "Roles that may remove versions and write in anybody's place, for a recovery; they sign in for that alone."
  default     = []
  validation {
    condition     = alltrue([for arn in var.break_glass_role_arns : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:role/.+$", arn))])
    error_message = "Each is the ARN of a role."
  }
}

variable "table_history_days" {
  type        = number
  description = "How far back tables can be read: `retention.nights` of the settings."
  default     = 90
  validation {
    condition     = var.table_history_days >= 1
    error_message = "At least a day."
  }
}

variable "lake_versions_days" {
  type        = number
  description = "Days for which a file that the lake removed or replaced can be brought back. Erased people's rows are in such files, too."
  default     = 120
  validation {
    condition     = var.lake_versions_days > var.table_history_days + 7
    error_message = "At least eight days more than table_history_days: a maintenance that went wrong is noticed before what it removed is gone."
  }
}

variable "landing_cold_days" {
  type        = number
  description = "Days after which landing files move to the cold storage that answers at once: repairs and erasures read them again."
  default     = 90
  validation {
    condition     = var.landing_cold_days >= 30
    error_message = "At least 30: a younger file is read by nights that look back."
  }
}

variable "log_days" {
  type        = number
  description = "Days for which access logs and the trail are kept."
  default     = 400
  validation {
    condition     = var.log_days >= 365
    error_message = "At least a year."
  }
}

variable "force_destroy" {
  type        = bool
  description = "Whether `terraform destroy` empties the buckets. Never where data matters."
  default     = false
}
