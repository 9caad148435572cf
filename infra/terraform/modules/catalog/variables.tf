variable "name" {
  type        = string
  description = "Begins the names of databases and workgroups: project and environment."
}

variable "account_id" {
  type        = string
  description = "The account, whose catalog it is."
}

variable "contracts" {
  type        = string
  description = "The folder of the contracts, conf/tables; the tables are theirs."
}

variable "lake_root" {
  type        = string
  description = "`lake_root` of the settings."
  validation {
    condition     = startswith(var.lake_root, "s3://") && !endswith(var.lake_root, "/")
    error_message = "s3://<bucket>/<folder>, without a slash at its end."
  }
}

variable "artifacts_bucket" {
  type        = string
  description = "Where answers go, below athena/."
}

variable "data_key_arn" {
  type        = string
  description = "The key of the lake and of answers."
}

variable "role_arns" {
  type        = map(string)
  description = "The roles: pipeline, analyst."
}

variable "scan_limit_gb" {
  type        = number
  description = "What one query of an analyst may read, in GB; Athena stops it there."
  default     = 100
  validation {
    condition     = var.scan_limit_gb >= 1
    error_message = "At least 1."
  }
}

variable "grants" {
  type        = bool
  description = "Whether Lake Formation hands analysts the columns. Without it nobody but engineers can ask anything."
  default     = true
}

variable "lake_formation_admins" {
  type        = list(string)
  description = "Who may grant in Lake Formation: at least who applies this. Replaces the account's list; empty leaves it alone."
  default     = []
}

variable "force_destroy" {
  type        = bool
  description = "Whether workgroups go with the history of their queries."
  default     = false
}
