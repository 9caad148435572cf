variable "project" {
  type        = string
  description = "Begins every name."
  default     = "lakesmith"
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{2,18}$", var.project))
    error_message = "Small letters, digits and hyphens, 3 to 19 of them, beginning with a letter."
  }
}

variable "environment" {
  type        = string
  description = "dev, staging or prod: the name of the file in conf/."
  validation {
    condition     = contains(["dev", "staging", "prod"], var.environment)
    error_message = "dev, staging or prod."
  }
}

variable "contracts" {
  type        = string
  description = "The folder of the contracts, conf/tables."
}

variable "image" {
  type        = string
  description = "The image of jobs by digest, as release.yml prints it; empty while there is none: then no application is made."
  default     = ""
}

variable "release_label" {
  type        = string
  description = "EMR's release; see the module emr_serverless."
  default     = "emr-spark-8.0"
}

variable "zones" {
  type        = list(string)
  description = "The availability zones."
}

variable "cidr" {
  type        = string
  description = "The addresses of the network."
  default     = "10.20.0.0/16"
}

variable "capacity" {
  type = object({
    max_vcpus      = number
    max_memory_gb  = number
    max_disk_gb    = optional(number, 2000)
    idle_minutes   = optional(number, 15)
    warm_executors = optional(number, 0)
    architecture   = optional(string, "X86_64")
  })
  description = "What jobs may take at once, and when the application stops; see the module emr_serverless."
}

variable "retention" {
  type = object({
    table_history_days = optional(number, 90)
    lake_versions_days = optional(number, 120)
    landing_cold_days  = optional(number, 90)
    log_days           = optional(number, 400)
  })
  description = "How long things are kept; see the module buckets."
  default     = {}
}

variable "mlflow_url" {
  type        = string
  description = "An MLflow server that is there already; empty: SageMaker's managed one is made."
  default     = ""
}

variable "mlflow_size" {
  type        = string
  description = "The size of SageMaker's."
  default     = "Small"
}

variable "airflow" {
  type = object({
    version           = optional(string, "3.2.1")
    environment_class = optional(string, "mw1.small")
    max_workers       = optional(number, 3)
    public_webserver  = optional(bool, false)
  })
  description = "MWAA; see the module mwaa."
  default     = {}
}

variable "egress" {
  type        = bool
  description = "Whether the private subnets reach the internet; see the module network."
  default     = true
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
  description = "ARNs of who may take which role; see the modules iam and buckets."
  default     = {}
}

variable "subscribers" {
  type        = set(string)
  description = "Addresses that get alerts by e-mail."
  default     = []
}

variable "secrets" {
  type        = map(string)
  description = "Secrets by name, with what each is for; see the module secrets."
  default     = {}
}

variable "promoter_secrets" {
  type        = set(string)
  description = "Those of them that the promoter may read."
  default     = []
}

variable "monthly_usd" {
  type        = number
  description = "What a month may cost."
}

variable "lake_formation_admins" {
  type        = list(string)
  description = "See the module catalog."
  default     = []
}

variable "force_destroy" {
  type        = bool
  description = "Whether `terraform destroy` takes the data along. Refused in prod."
  default     = false
  validation {
    condition     = !(var.force_destroy && var.environment == "prod")
    error_message = "Not in prod: empty the buckets by hand, see docs/aws.md, Teardown."
  }
}

variable "features" {
  type = object({
    network        = optional(bool, true)
    emr_serverless = optional(bool, true)
    mwaa           = optional(bool, true)
    mlflow         = optional(bool, true)
    catalog        = optional(bool, true)
    grants         = optional(bool, true)
    audit          = optional(bool, true)
    budget         = optional(bool, true)
  })
  description = "Parts that can be left out: an emulator knows some of them only, and a company may have its own of others."
  default     = {}
}
