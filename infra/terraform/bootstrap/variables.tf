variable "region" {
  type        = string
  description = "The region of everything."
  validation {
    condition     = can(regex("^[a-z]{2}(-[a-z]+)+-[0-9]$", var.region))
    error_message = "A region, as eu-west-1."
  }
}

variable "project" {
  type        = string
  description = "Begins every name."
  default     = "lakesmith"
}

variable "owner" {
  type        = string
  description = "The team that answers for it, as a tag."
}

variable "environments" {
  type        = set(string)
  description = "The environments of this account."
  default     = ["dev", "staging", "prod"]
  validation {
    condition     = alltrue([for name in var.environments : contains(["dev", "staging", "prod"], name)])
    error_message = "dev, staging, prod."
  }
}

variable "administrators" {
  type        = list(string)
  description = "ARNs of the principals that may apply the environments, users with a second factor."
  validation {
    condition     = length(var.administrators) > 0 && alltrue([for arn in var.administrators : can(regex("^arn:aws[a-z-]*:iam::[0-9]{12}:(role|user)/.+$", arn))])
    error_message = "At least one, each the ARN of a role or a user; not of the account, which would be everybody."
  }
}

variable "reader_accounts" {
  type        = list(string)
  description = "Other accounts that take images from here."
  default     = []
}

variable "repository" {
  type        = string
  description = "The repository on GitHub, <owner>/<name>, whose workflows release and promote; empty: none does."
  default     = ""
  validation {
    condition     = var.repository == "" || can(regex("^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", var.repository))
    error_message = "<owner>/<name>, without wildcards: another repository would release here."
  }
}
