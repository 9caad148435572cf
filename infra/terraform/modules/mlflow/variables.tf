variable "name" {
  type        = string
  description = "The tracking server's name."
}

variable "account_id" {
  type        = string
  description = "The account."
}

variable "url" {
  type        = string
  description = "An MLflow server that is there already; empty: SageMaker's managed one is made."
  default     = ""
  validation {
    condition     = var.url == "" || startswith(var.url, "https://")
    error_message = "Empty, or https://<server>: models are code, and go over no open line."
  }
}

variable "artifacts_bucket" {
  type        = string
  description = "The bucket of models; they go below mlflow/."
}

variable "key_arn" {
  type        = string
  description = "The key of that bucket."
}

variable "size" {
  type        = string
  description = "Small for 25 people, Medium for 50, Large for 100."
  default     = "Small"
  validation {
    condition     = contains(["Small", "Medium", "Large"], var.size)
    error_message = "Small, Medium or Large."
  }
}

variable "mlflow_version" {
  type        = string
  description = "A version that SageMaker offers, of the client's major version."
  default     = "3.0"
  validation {
    condition     = startswith(var.mlflow_version, "3.")
    error_message = "3.x: the client of requirements/dev.txt is."
  }
}
