variable "name" {
  type        = string
  description = "Begins the names of everything here: project and environment."
}

variable "region" {
  type        = string
  description = "The region, which is part of the names of its endpoints."
}

variable "cidr" {
  type        = string
  description = "The addresses of the network."
  default     = "10.20.0.0/16"
  validation {
    condition     = can(cidrhost(var.cidr, 0)) && tonumber(split("/", var.cidr)[1]) <= 20
    error_message = "A range of at least a /20: every worker of a job takes an address."
  }
}

variable "zones" {
  type        = list(string)
  description = "The availability zones, two for MWAA, three where a zone may fail during a night."
  validation {
    condition     = length(var.zones) >= 2 && length(var.zones) <= 4 && length(distinct(var.zones)) == length(var.zones)
    error_message = "Two to four different zones."
  }
}

variable "interface_endpoints" {
  type        = set(string)
  description = "Amazon's services that are reached without the internet, by the last part of their names. Each costs by the hour and zone; with a way out, those that carry keys and secrets are enough."
  nullable    = false
  default     = ["airflow.api", "airflow.env", "airflow.ops", "athena", "ecr.api", "ecr.dkr", "emr-serverless", "glue", "kms", "logs", "monitoring", "secretsmanager", "sns", "sqs", "sts"]
}

variable "egress" {
  type        = bool
  description = "Whether private subnets reach the internet, through one NAT gateway: for an MLflow server elsewhere, or packages of MWAA from an index."
  default     = false
}

variable "log_key_arn" {
  type        = string
  description = "The key of the flow log."
}

variable "flow_log_days" {
  type        = number
  description = "Days for which it is known who spoke with whom."
  default     = 365
  validation {
    condition     = contains([365, 400, 545, 731], var.flow_log_days)
    error_message = "One of CloudWatch's periods of a year and more: 365, 400, 545, 731."
  }
}
