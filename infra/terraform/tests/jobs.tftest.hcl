mock_provider "aws" {
  source = "./mocks"
}

run "application" {
  module {
    source = "../modules/emr_serverless"
  }
  variables {
    name               = "lakesmith-prod"
    image              = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/lakesmith@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    max_vcpus          = 400
    max_memory_gb      = 1600
    subnet_ids         = ["subnet-1", "subnet-2"]
    security_group_ids = ["sg-1"]
  }

  assert {
    condition     = aws_emrserverless_application.this.auto_stop_configuration[0].enabled && aws_emrserverless_application.this.auto_stop_configuration[0].idle_timeout_minutes == 15
    error_message = "It stops when nothing runs."
  }
  assert {
    condition     = aws_emrserverless_application.this.maximum_capacity[0].cpu == "400 vCPU" && aws_emrserverless_application.this.maximum_capacity[0].memory == "1600 GB"
    error_message = "It has limits."
  }
  assert {
    condition     = length(aws_emrserverless_application.this.initial_capacity) == 0
    error_message = "Nothing waits and costs."
  }
  assert {
    condition     = aws_emrserverless_application.this.network_configuration[0].subnet_ids == toset(["subnet-1", "subnet-2"])
    error_message = "Jobs run in the private subnets."
  }
  assert {
    condition     = !aws_emrserverless_application.this.interactive_configuration[0].livy_endpoint_enabled && !aws_emrserverless_application.this.interactive_configuration[0].studio_enabled
    error_message = "Nobody opens a shell on the pipeline's role."
  }
}

run "an_image_by_tag" {
  command = plan
  module {
    source = "../modules/emr_serverless"
  }
  variables {
    name               = "lakesmith-prod"
    image              = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/lakesmith:latest"
    max_vcpus          = 400
    max_memory_gb      = 1600
    subnet_ids         = ["subnet-1", "subnet-2"]
    security_group_ids = ["sg-1"]
  }
  expect_failures = [var.image]
}

run "registry" {
  module {
    source = "../modules/registry"
  }
  variables {
    account_id      = "123456789012"
    reader_accounts = ["210987654321"]
  }

  assert {
    condition     = aws_ecr_repository.this.image_tag_mutability == "IMMUTABLE" && aws_ecr_repository.this.image_scanning_configuration[0].scan_on_push
    error_message = "A tag never moves, and images are scanned."
  }
  assert {
    condition     = aws_ecr_repository.this.encryption_configuration[0].encryption_type == "KMS" && aws_kms_key.this.enable_key_rotation
    error_message = "Images are encrypted under a key that turns."
  }
  assert {
    condition = alltrue([
      for statement in jsondecode(aws_ecr_repository_policy.this.policy).Statement : length(setintersection(statement.Action, ["ecr:PutImage", "ecr:InitiateLayerUpload"])) == 0 && statement.Principal != "*"
    ])
    error_message = "Other accounts and services read only."
  }
}

run "airflow" {
  module {
    source = "../modules/mwaa"
  }
  variables {
    name               = "lakesmith-prod"
    dag_bucket_arn     = "arn:aws:s3:::dags"
    execution_role_arn = "arn:aws:iam::123456789012:role/lakesmith-prod-pipeline"
    key_arn            = "arn:aws:kms:eu-west-1:123456789012:key/data"
    log_groups         = ["airflow-lakesmith-prod-Task"]
    subnet_ids         = ["subnet-1", "subnet-2", "subnet-3"]
    security_group_ids = ["sg-2"]
  }

  assert {
    condition     = aws_mwaa_environment.this.webserver_access_mode == "PRIVATE_ONLY"
    error_message = "Airflow's pages are not on the internet."
  }
  assert {
    condition     = aws_mwaa_environment.this.kms_key == var.key_arn && length(aws_mwaa_environment.this.network_configuration[0].subnet_ids) == 2
    error_message = "Under the key, in two private subnets."
  }
  assert {
    condition = alltrue([
      for part in ["dag_processing_logs", "scheduler_logs", "task_logs", "webserver_logs", "worker_logs"] : aws_mwaa_environment.this.logging_configuration[0][part][0].enabled
    ])
    error_message = "Each part logs."
  }
}

run "an_airflow_too_old_for_the_dags" {
  command = plan
  module {
    source = "../modules/mwaa"
  }
  variables {
    name               = "lakesmith-prod"
    airflow_version    = "2.10.3"
    dag_bucket_arn     = "arn:aws:s3:::dags"
    execution_role_arn = "arn:aws:iam::123456789012:role/lakesmith-prod-pipeline"
    key_arn            = "arn:aws:kms:eu-west-1:123456789012:key/data"
    log_groups         = ["airflow-lakesmith-prod-Task"]
    subnet_ids         = ["subnet-1", "subnet-2"]
    security_group_ids = ["sg-2"]
  }
  expect_failures = [var.airflow_version]
}

run "mlflow_managed" {
  module {
    source = "../modules/mlflow"
  }
  variables {
    name             = "lakesmith-prod"
    account_id       = "123456789012"
    artifacts_bucket = "artifacts"
    key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/data"
  }

  assert {
    condition     = aws_sagemaker_mlflow_tracking_server.this[0].automatic_model_registration == false
    error_message = "Only what passed the gates is registered."
  }
  assert {
    condition     = jsondecode(aws_iam_role_policy.server[0].policy).Statement[1].Resource == "arn:aws:s3:::artifacts/mlflow/*"
    error_message = "The server keeps models, and sees nothing else."
  }
}

run "mlflow_elsewhere" {
  module {
    source = "../modules/mlflow"
  }
  variables {
    name             = "lakesmith-prod"
    account_id       = "123456789012"
    artifacts_bucket = "artifacts"
    key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/data"
    url              = "https://mlflow.example.com"
  }

  assert {
    condition     = length(aws_sagemaker_mlflow_tracking_server.this) == 0 && output.tracking_uri == "https://mlflow.example.com" && output.tracking_server_arn == ""
    error_message = "A server that is named is used as it is."
  }
}

run "mlflow_on_an_open_line" {
  command = plan
  module {
    source = "../modules/mlflow"
  }
  variables {
    name             = "lakesmith-prod"
    account_id       = "123456789012"
    artifacts_bucket = "artifacts"
    key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/data"
    url              = "http://mlflow.example.com"
  }
  expect_failures = [var.url]
}
