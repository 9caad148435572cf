# What people rely on.

terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }

  # The bucket and the region come with `terraform init -backend-config=backend.hcl`, as bootstrap prints them.
  backend "s3" {
    key          = "prod/terraform.tfstate"
    encrypt      = true
    use_lockfile = true # S3's own conditional writes; no table of locks
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Platform    = "${var.project}-prod" # the budget counts by it, and roles start only applications that have it
      Environment = "prod"
      ManagedBy   = "terraform"
      Repository  = var.project
      Owner       = var.owner
    }
  }
}

module "platform" {
  source = "../../modules/platform"

  project     = var.project
  environment = "prod"
  contracts   = "${path.root}/../../../../conf/tables"
  image       = var.image

  zones = [for letter in slice(["a", "b", "c"], 0, 3) : "${var.region}${letter}"]
  cidr  = "10.22.0.0/16"

  capacity      = { max_vcpus = 400, max_memory_gb = 1600, max_disk_gb = 8000, idle_minutes = 15 }
  airflow       = { environment_class = "mw1.small", max_workers = 5 }
  mlflow_url    = var.mlflow_url
  people        = var.people
  subscribers   = var.subscribers
  secrets       = var.secrets
  monthly_usd   = var.monthly_usd
  force_destroy = false

  promoter_secrets      = var.promoter_secrets
  lake_formation_admins = var.lake_formation_admins
}
