# Where changes are tried: small, stopped early, gone with `terraform destroy`.

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
    key          = "dev/terraform.tfstate"
    encrypt      = true
    use_lockfile = true # S3's own conditional writes; no table of locks
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Platform    = "${var.project}-dev" # the budget counts by it, and roles start only applications that have it
      Environment = "dev"
      ManagedBy   = "terraform"
      Repository  = var.project
      Owner       = var.owner
    }
  }
}

module "platform" {
  source = "../../modules/platform"

  project     = var.project
  environment = "dev"
  contracts   = "${path.root}/../../../../conf/tables"
  image       = var.image

  zones = [for letter in slice(["a", "b", "c"], 0, 2) : "${var.region}${letter}"]
  cidr  = "10.20.0.0/16"

  capacity      = { max_vcpus = 32, max_memory_gb = 128, max_disk_gb = 500, idle_minutes = 5 }
  airflow       = { environment_class = "mw1.micro", max_workers = 1 }
  mlflow_url    = var.mlflow_url
  people        = var.people
  subscribers   = var.subscribers
  secrets       = var.secrets
  monthly_usd   = var.monthly_usd
  force_destroy = true

  promoter_secrets      = var.promoter_secrets
  lake_formation_admins = var.lake_formation_admins
}
