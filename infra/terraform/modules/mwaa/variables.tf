variable "name" {
  type        = string
  description = "The environment's name."
}

variable "airflow_version" {
  type        = string
  description = "A version that MWAA offers. The DAGs need Airflow 3.1 or later."
  default     = "3.2.1"
  validation {
    condition     = can(regex("^3\\.([1-9]|[1-9][0-9])\\.[0-9]+$", var.airflow_version))
    error_message = "3.1 or later: deadlines of DAGs and retries by callback came with it."
  }
}

variable "environment_class" {
  type        = string
  description = "The size of its parts."
  default     = "mw1.small"
  validation {
    condition     = can(regex("^mw1\\.(micro|small|medium|large|xlarge|2xlarge)$", var.environment_class))
    error_message = "mw1.micro to mw1.2xlarge."
  }
}

variable "max_workers" {
  type        = number
  description = "Workers at most: tasks wait for jobs, so few are enough."
  default     = 3
  validation {
    condition     = var.max_workers >= 1 && var.max_workers <= 25
    error_message = "1 to 25."
  }
}

variable "dag_bucket_arn" {
  type        = string
  description = "The bucket with dags/, plugins.zip, requirements.txt and startup.sh; see docs/mwaa.md."
}

variable "execution_role_arn" {
  type        = string
  description = "The pipeline's role."
}

variable "key_arn" {
  type        = string
  description = "The key of Airflow's queue, database and files."
}

variable "log_groups" {
  type        = list(string)
  description = "The groups of its logs, made by the module monitoring."
}

variable "subnet_ids" {
  type        = list(string)
  description = "Private subnets; MWAA takes two."
  validation {
    condition     = length(var.subnet_ids) >= 2
    error_message = "At least two."
  }
}

variable "security_group_ids" {
  type        = list(string)
  description = "Security groups of its parts."
}

variable "public_webserver" {
  type        = bool
  description = "Whether the web pages can be reached from the internet, by those whom IAM lets in; else only through the network."
  default     = false
}

variable "configuration" {
  type        = map(string)
  description = "Further options of Airflow."
  default     = {}
}
