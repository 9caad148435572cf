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
    condition = sort(keys(output.settings)) == tolist([
      "alerts.sns.region", "alerts.sns.topic", "aws.region", "emr.application", "emr.code", "emr.log_group", "emr.log_key", "emr.outcomes",
      "emr.role", "lake_root", "landing_root", "mlflow.tracking_uri", "s3.kms_key",
    ])
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
