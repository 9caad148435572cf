# No infrastructure: the root from which `terraform test` runs each module on a mocked provider.

terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}
