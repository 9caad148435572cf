# Airflow, which starts the nights.

resource "aws_mwaa_environment" "this" {
  #checkov:skip=CKV2_AWS_66: PRIVATE_ONLY unless public_webserver asks for the other, which no environment here does; checkov does not follow the condition. tests/jobs.tftest.hcl asserts it.
  name               = var.name
  airflow_version    = var.airflow_version
  environment_class  = var.environment_class
  min_workers        = 1
  max_workers        = var.max_workers
  execution_role_arn = var.execution_role_arn
  kms_key            = var.key_arn

  source_bucket_arn      = var.dag_bucket_arn
  dag_s3_path            = "dags"
  plugins_s3_path        = "plugins.zip"
  requirements_s3_path   = "requirements.txt"
  startup_script_s3_path = "startup.sh"

  webserver_access_mode = var.public_webserver ? "PUBLIC_ONLY" : "PRIVATE_ONLY"

  airflow_configuration_options = merge({
    "core.load_examples"               = "False"
    "core.dags_are_paused_at_creation" = "True"
  }, var.configuration)

  network_configuration {
    subnet_ids         = slice(var.subnet_ids, 0, 2)
    security_group_ids = var.security_group_ids
  }

  logging_configuration {
    dag_processing_logs {
      enabled   = true
      log_level = "INFO"
    }
    scheduler_logs {
      enabled   = true
      log_level = "INFO"
    }
    task_logs {
      enabled   = true
      log_level = "INFO"
    }
    webserver_logs {
      enabled   = true
      log_level = "INFO"
    }
    worker_logs {
      enabled   = true
      log_level = "INFO"
    }
  }

  # The groups of its logs come first: else it would make them itself, without an end and without a key.
  lifecycle {
    precondition {
      condition     = contains(var.log_groups, "airflow-${var.name}-Task")
      error_message = "The groups of Airflow's logs are to be made first: airflow-${var.name}-Task is not among them."
    }
  }
}
