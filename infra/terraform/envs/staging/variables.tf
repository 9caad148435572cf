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

variable "image" {
  type        = string
  description = "The image of jobs by digest, as release.yml prints it. Empty the first time, when no image is there."
  default     = ""
}

variable "mlflow_url" {
  type        = string
  description = "An MLflow server that is there already; empty: SageMaker's managed one is made."
  default     = ""
}

variable "people" {
  type = object({
    engineers       = optional(list(string), [])
    promoters       = optional(list(string), [])
    analysts        = optional(list(string), [])
    operators       = optional(list(string), [])
    break_glass     = optional(list(string), [])
    landing_writers = optional(list(string), [])
  })
  description = "ARNs of who may take which role."
  default     = {}
}

variable "subscribers" {
  type        = set(string)
  description = "Addresses that get alerts by e-mail."
  default     = []
}

variable "secrets" {
  type        = map(string)
  description = "Secrets by name, with what each is for."
  default     = {}
}

variable "promoter_secrets" {
  type        = set(string)
  description = "Those of them that the promoter may read."
  default     = []
}

variable "monthly_usd" {
  type        = number
  description = "What a month may cost, in US dollars."
  default     = 800
}

variable "lake_formation_admins" {
  type        = list(string)
  description = "Who may grant in Lake Formation; replaces the account's list, empty leaves it alone."
  default     = []
}
