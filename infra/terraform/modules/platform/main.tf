# One environment: all modules, put together. The roots in envs/ say only what differs.

data "aws_caller_identity" "this" {}

data "aws_region" "this" {}

locals {
  name       = "${var.project}-${var.environment}"
  account_id = data.aws_caller_identity.this.account_id
  region     = data.aws_region.this.name

  lake_prefix    = "lake"
  landing_prefix = "landing"

  # By their names, so that the buckets' policies can name roles whose own policies name the buckets.
  role_arns = { for role in ["pipeline", "engineer", "promoter", "analyst"] : role => "arn:aws:iam::${local.account_id}:role/${local.name}-${role}" }

  has_network     = var.features.network
  has_application = var.features.emr_serverless && local.has_network && var.image != ""
  has_airflow     = var.features.mwaa && local.has_network

  catalog = {
    lake_database     = replace("${local.name}_lake", "-", "_")
    analysts_database = replace("${local.name}_analysts", "-", "_")
    workgroup         = local.name
  }
}

module "kms" {
  source = "../kms"

  name       = local.name
  account_id = local.account_id
  region     = local.region
}

module "buckets" {
  source = "../buckets"

  name                  = local.name
  account_id            = local.account_id
  data_key_arn          = module.kms.arns["data"]
  lake_prefix           = local.lake_prefix
  landing_prefix        = local.landing_prefix
  pipeline_role_arn     = local.role_arns["pipeline"]
  promoter_role_arn     = local.role_arns["promoter"]
  landing_writers       = var.people.landing_writers
  break_glass_role_arns = var.people.break_glass
  table_history_days    = var.retention.table_history_days
  lake_versions_days    = var.retention.lake_versions_days
  landing_cold_days     = var.retention.landing_cold_days
  log_days              = var.retention.log_days
  force_destroy         = var.force_destroy
}

module "secrets" {
  source = "../secrets"

  name          = local.name
  names         = var.secrets
  key_arn       = module.kms.arns["messages"]
  recovery_days = var.force_destroy ? 0 : 30
}

module "network" {
  source = "../network"
  count  = local.has_network ? 1 : 0

  name        = local.name
  region      = local.region
  cidr        = var.cidr
  zones       = var.zones
  egress      = var.egress
  log_key_arn = module.kms.arns["logs"]

  # Without a way out everything goes through endpoints, which are the module's own list.
  interface_endpoints = var.egress ? ["kms", "logs", "secretsmanager", "sts"] : null
}

module "mlflow" {
  source = "../mlflow"
  count  = var.features.mlflow ? 1 : 0

  name             = local.name
  account_id       = local.account_id
  url              = var.mlflow_url
  size             = var.mlflow_size
  artifacts_bucket = module.buckets.names["artifacts"]
  key_arn          = module.kms.arns["data"]
}

module "iam" {
  source = "../iam"

  name                = local.name
  account_id          = local.account_id
  region              = local.region
  bucket_arns         = module.buckets.arns
  key_arns            = module.kms.arns
  lake_prefix         = local.lake_prefix
  landing_prefix      = local.landing_prefix
  topic_arn           = module.monitoring.topic_arn
  secret_arns         = module.secrets.arns
  promoter_secrets    = var.promoter_secrets
  tracking_server_arn = one(module.mlflow[*].tracking_server_arn) == null ? "" : one(module.mlflow[*].tracking_server_arn)
  catalog             = local.catalog
  log_group_prefix    = "/${local.name}/"
  engineers           = var.people.engineers
  promoters           = var.people.promoters
  analysts            = var.people.analysts
  operators           = var.people.operators
}

module "emr_serverless" {
  source = "../emr_serverless"
  count  = local.has_application ? 1 : 0

  name               = local.name
  release_label      = var.release_label
  image              = var.image
  architecture       = var.capacity.architecture
  max_vcpus          = var.capacity.max_vcpus
  max_memory_gb      = var.capacity.max_memory_gb
  max_disk_gb        = var.capacity.max_disk_gb
  idle_minutes       = var.capacity.idle_minutes
  warm_executors     = var.capacity.warm_executors
  subnet_ids         = module.network[0].private_subnet_ids
  security_group_ids = [module.network[0].jobs_security_group_id]
}

module "mwaa" {
  source = "../mwaa"
  count  = local.has_airflow ? 1 : 0

  name               = local.name
  airflow_version    = var.airflow.version
  environment_class  = var.airflow.environment_class
  max_workers        = var.airflow.max_workers
  public_webserver   = var.airflow.public_webserver
  dag_bucket_arn     = module.buckets.arns["dags"]
  execution_role_arn = module.iam.role_arns["pipeline"]
  key_arn            = module.kms.arns["data"]
  log_groups         = module.monitoring.airflow_log_groups
  subnet_ids         = module.network[0].private_subnet_ids
  security_group_ids = [module.network[0].airflow_security_group_id]
}

module "catalog" {
  source = "../catalog"
  count  = var.features.catalog ? 1 : 0

  name                  = local.name
  account_id            = local.account_id
  contracts             = var.contracts
  lake_root             = module.buckets.lake_root
  artifacts_bucket      = module.buckets.names["artifacts"]
  data_key_arn          = module.kms.arns["data"]
  role_arns             = module.iam.role_arns
  grants                = var.features.grants
  lake_formation_admins = var.lake_formation_admins
  force_destroy         = var.force_destroy
}

module "audit" {
  source = "../audit"
  count  = var.features.audit ? 1 : 0

  name        = local.name
  bucket_arns = [for kind in ["landing", "lake", "artifacts"] : module.buckets.arns[kind]]
  logs_bucket = module.buckets.logs_ready
  key_arn     = module.kms.arns["logs"]
}

module "monitoring" {
  source = "../monitoring"

  name                = local.name
  account_id          = local.account_id
  region              = local.region
  log_key_arn         = module.kms.arns["logs"]
  message_key_arn     = module.kms.arns["messages"]
  airflow_environment = local.has_airflow ? local.name : ""
  subscribers         = var.subscribers
}

module "budget" {
  source = "../budget"
  count  = var.features.budget ? 1 : 0

  name        = local.name
  monthly_usd = var.monthly_usd
  topic_arn   = module.monitoring.topic_arn
}
