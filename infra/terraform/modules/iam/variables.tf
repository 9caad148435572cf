variable "name" {
  type        = string
  description = "Begins the names of the roles: project and environment."
}

variable "account_id" {
  type        = string
  description = "The account."
}

variable "region" {
  type        = string
  description = "The region."
}

variable "bucket_arns" {
  type        = map(string)
  description = "The buckets' ARNs: landing, lake, artifacts, dags."
}

variable "key_arns" {
  type        = map(string)
  description = "The keys' ARNs: data, logs, messages."
}

variable "lake_prefix" {
  type        = string
  description = "The folder of the lake in its bucket."
}

variable "landing_prefix" {
  type        = string
  description = "The folder of the landing files in their bucket."
}

variable "topic_arn" {
  type        = string
  description = "The topic of alerts."
}

variable "secret_arns" {
  type        = map(string)
  description = "The secrets' ARNs by name."
  default     = {}
}

variable "promoter_secrets" {
  type        = set(string)
  description = "The names of those secrets that the promoter may read: what MLflow asks for, where it is a server of one's own."
  default     = []
  validation {
    condition     = alltrue([for name in var.promoter_secrets : contains(keys(var.secret_arns), name)])
    error_message = "Each is one of secret_arns."
  }
}

variable "tracking_server_arn" {
  type        = string
  description = "SageMaker's MLflow; empty where models are kept by another server, whose own users decide who moves aliases."
  default     = ""
}

variable "catalog" {
  type = object({
    lake_database     = string
    analysts_database = string
    workgroup         = string
  })
  description = "Glue's databases and Athena's workgroups: those of the lake and of analysts; the analysts' workgroup is `<workgroup>-analysts`."
}

variable "log_group_prefix" {
  type        = string
  description = "Begins the names of the jobs' log groups."
}

variable "engineers" {
  type        = list(string)
  description = "ARNs of the principals that may take the engineer's role."
  default     = []
}

variable "promoters" {
  type        = list(string)
  description = "ARNs of the principals that may take the promoter's role: people, and the workflow that promotes after an approval."
  default     = []
}

variable "analysts" {
  type        = list(string)
  description = "ARNs of the principals that may take the analyst's role."
  default     = []
}

variable "operators" {
  type        = list(string)
  description = "ARNs of the principals that may act as the pipeline, users with a second factor: forget, restore and maintain from a machine of one's own."
  default     = []
}

variable "max_session_hours" {
  type        = number
  description = "How long a person's session lasts."
  default     = 4
  validation {
    condition     = var.max_session_hours >= 1 && var.max_session_hours <= 12
    error_message = "1 to 12 hours."
  }
}
