mock_provider "aws" {
  source = "./mocks"
}

variables {
  contracts   = "../../../conf/tables"
  zones       = ["eu-west-1a", "eu-west-1b"]
  capacity    = { max_vcpus = 32, max_memory_gb = 128 }
  monthly_usd = 100
  image       = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/lakesmith@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
}

run "whole" {
  module {
    source = "../modules/platform"
  }
  variables {
    environment = "staging"
  }

  assert {
    condition     = length(module.network) + length(module.emr_serverless) + length(module.mwaa) + length(module.mlflow) + length(module.catalog) + length(module.audit) + length(module.budget) == 7
    error_message = "Every part is there."
  }
  assert {
    condition     = toset(keys(output.settings)) == toset(["landing_root", "lake_root", "mlflow.tracking_uri", "alerts.sns.topic", "alerts.sns.region"]) || length(setsubtract(["landing_root", "lake_root", "mlflow.tracking_uri", "alerts.sns.topic"], keys(output.settings))) == 0
    error_message = "What the settings need is put out."
  }
}

run "without_an_image" {
  module {
    source = "../modules/platform"
  }
  variables {
    environment = "dev"
    image       = ""
    features    = { mwaa = false, mlflow = false }
  }

  assert {
    condition     = length(module.emr_serverless) == 0 && output.application_id == ""
    error_message = "Before the first image there is no application."
  }
}

run "prod_keeps_its_data" {
  command = plan
  module {
    source = "../modules/platform"
  }
  variables {
    environment   = "prod"
    force_destroy = true
  }
  expect_failures = [var.force_destroy]
}
