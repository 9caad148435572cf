# The modules of an environment on an emulator of Amazon's services: applied, planned again and destroyed by tests/infra. What the emulator
# does not know is left out here, and listed by name in docs/aws.md.

terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

variable "endpoint" {
  type        = string
  description = "The emulator's address."
}

variable "features" {
  type        = map(bool)
  description = "Parts that the emulator does not know, to be tried all the same: mwaa, budget, grants, emr_serverless, mlflow_managed."
  default     = {}
}

provider "aws" {
  region                      = "eu-west-1"
  access_key                  = "emulated"
  secret_key                  = "emulated"
  max_retries                 = 1
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = false

  endpoints {
    athena         = var.endpoint
    budgets        = var.endpoint
    cloudtrail     = var.endpoint
    cloudwatch     = var.endpoint
    ec2            = var.endpoint
    emrserverless  = var.endpoint
    glue           = var.endpoint
    iam            = var.endpoint
    kms            = var.endpoint
    lakeformation  = var.endpoint
    logs           = var.endpoint
    mwaa           = var.endpoint
    s3             = var.endpoint
    sagemaker      = var.endpoint
    secretsmanager = var.endpoint
    sns            = var.endpoint
    sts            = var.endpoint
  }

  default_tags {
    tags = { Platform = "lakesmith-dev", Environment = "dev" }
  }
}

module "platform" {
  source = "../../modules/platform"

  environment   = "dev"
  contracts     = "${path.root}/../../../../conf/tables"
  image         = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/lakesmith@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
  release_label = "emr-7.9.0" # the emulator knows releases by number only
  zones         = ["eu-west-1a", "eu-west-1b"]
  egress        = false
  capacity      = { max_vcpus = 16, max_memory_gb = 64 }
  monthly_usd   = 100
  subscribers   = ["data@example.com"]
  secrets       = { webhook = "Where alerts go" }
  force_destroy = true

  # SageMaker's is one of the parts that the emulator does not know.
  mlflow_url = lookup(var.features, "mlflow_managed", false) ? "" : "https://mlflow.example.com"

  features = {
    mwaa           = lookup(var.features, "mwaa", false)
    budget         = lookup(var.features, "budget", false)
    grants         = lookup(var.features, "grants", false)
    emr_serverless = lookup(var.features, "emr_serverless", false)
  }
}

output "settings" {
  description = "What the settings must say."
  value       = module.platform.settings
}

output "filter_patterns" {
  description = "What is looked for in the jobs' log."
  value       = module.platform.filter_patterns
}

output "columns" {
  description = "Every table's columns as Glue has them."
  value       = module.platform.columns
}

output "analysts_columns" {
  description = "Those that analysts see."
  value       = module.platform.analysts_columns
}
