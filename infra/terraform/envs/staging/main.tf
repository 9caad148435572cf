# Where a release runs a night before prod does, with prod's settings.

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
    key          = "staging/terraform.tfstate"
    encrypt      = true
    use_lockfile = true # S3's own conditional writes; no table of locks
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Platform    = "${var.project}-staging" # the budget counts by it, and roles start only applications that have it
      Environment = "staging"
      ManagedBy   = "terraform"
      Repository  = var.project
      Owner       = var.owner
    }
  }
}

module "platform" {
  source = "../../modules/platform"

  project     = var.project
  environment = "staging"
  contracts   = "${path.root}/../../../../conf/tables"
  image       = var.image

  zones = [for letter in slice(["a", "b", "c"], 0, 2) : "${var.region}${letter}"]
  cidr  = "10.21.0.0/16"

  capacity      = { max_vcpus = 64, max_memory_gb = 256, max_disk_gb = 1000, idle_minutes = 10 }
  airflow       = { environment_class = "mw1.small", max_workers = 2 }
  mlflow_url    = var.mlflow_url
  people        = var.people
  subscribers   = var.subscribers
  secrets       = var.secrets
  monthly_usd   = var.monthly_usd
  force_destroy = false

  promoter_secrets      = var.promoter_secrets
  lake_formation_admins = var.lake_formation_admins
}
