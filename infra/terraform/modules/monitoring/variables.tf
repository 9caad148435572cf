variable "name" {
  type        = string
  description = "Begins the names of everything here: project and environment."
}

variable "account_id" {
  type        = string
  description = "The account."
}

variable "region" {
  type        = string
  description = "The region, which the dashboard names."
}

variable "log_key_arn" {
  type        = string
  description = "The key of logs."
}

variable "message_key_arn" {
  type        = string
  description = "The key of alerts."
}

variable "log_days" {
  type        = number
  description = "Days for which the jobs' logs are kept."
  default     = 365
  validation {
    condition     = contains([365, 400, 545, 731], var.log_days)
    error_message = "One of CloudWatch's periods of a year and more: 365, 400, 545, 731."
  }
}

variable "airflow_environment" {
  type        = string
  description = "MWAA's environment, whose logs are kept and listened to as well; empty: there is none."
  default     = ""
}

variable "subscribers" {
  type        = set(string)
  description = "Addresses that get every alert by e-mail; each has to confirm."
  default     = []
  validation {
    condition     = alltrue([for address in var.subscribers : can(regex("^[^@ ]+@[^@ ]+$", address))])
    error_message = "Addresses of e-mail."
  }
}

variable "gold_tables" {
  type        = set(string)
  description = "Tables that each night publishes to; one that nothing was published to for stale_hours is stale."
  default     = ["gold.customer_features", "gold.customer_scores", "gold.daily_sales"]
  validation {
    condition     = length(var.gold_tables) > 0 && alltrue([for table in var.gold_tables : startswith(table, "gold.")])
    error_message = "Names of gold tables."
  }
}

variable "score_table" {
  type        = string
  description = "The one of them that holds the scores."
  default     = "gold.customer_scores"
}

variable "stale_hours" {
  type        = number
  description = "Hours without rows after which a table is stale: a day, and what nights differ by."
  default     = 28
  validation {
    condition     = var.stale_hours >= 25 && var.stale_hours <= 168
    error_message = "25 to 168: nights are a day apart, and CloudWatch looks back seven days."
  }
}

variable "application_id" {
  type        = string
  description = "The application of EMR Serverless, for the dashboard; empty: it has no panel."
  default     = ""
}
