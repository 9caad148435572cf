mock_provider "aws" {
  source = "./mocks"
}

variables {
  name                  = "lakesmith-prod"
  account_id            = "123456789012"
  data_key_arn          = "arn:aws:kms:eu-west-1:123456789012:key/data"
  pipeline_role_arn     = "arn:aws:iam::123456789012:role/lakesmith-prod-pipeline"
  promoter_role_arn     = "arn:aws:iam::123456789012:role/lakesmith-prod-promoter"
  landing_writers       = ["arn:aws:iam::123456789012:role/shop-exports"]
  break_glass_role_arns = ["arn:aws:iam::123456789012:role/recovery"]
}

run "buckets" {
  module {
    source = "../modules/buckets"
  }

  assert {
    condition     = toset(keys(aws_s3_bucket.this)) == toset(["landing", "lake", "artifacts", "dags", "logs"])
    error_message = "There are five buckets."
  }
  assert {
    condition = alltrue([
      for kind in keys(aws_s3_bucket.this) : alltrue([
        aws_s3_bucket_public_access_block.this[kind].block_public_acls, aws_s3_bucket_public_access_block.this[kind].block_public_policy,
        aws_s3_bucket_public_access_block.this[kind].ignore_public_acls, aws_s3_bucket_public_access_block.this[kind].restrict_public_buckets,
      ])
    ])
    error_message = "No bucket can be made public."
  }
  assert {
    condition     = alltrue([for kind in keys(aws_s3_bucket.this) : aws_s3_bucket_versioning.this[kind].versioning_configuration[0].status == "Enabled"])
    error_message = "Every bucket keeps versions."
  }
  assert {
    condition     = alltrue([for kind in keys(aws_s3_bucket.this) : aws_s3_bucket_ownership_controls.this[kind].rule[0].object_ownership == "BucketOwnerEnforced"])
    error_message = "Nobody else owns an object, and no list of grants counts."
  }
  assert {
    condition = alltrue([
      for kind in ["landing", "lake", "artifacts", "dags"] :
      one(aws_s3_bucket_server_side_encryption_configuration.this[kind].rule).apply_server_side_encryption_by_default[0].sse_algorithm == "aws:kms" &&
      one(aws_s3_bucket_server_side_encryption_configuration.this[kind].rule).apply_server_side_encryption_by_default[0].kms_master_key_id == var.data_key_arn
    ])
    error_message = "Everything but logs is encrypted under the key of the data."
  }
  assert {
    condition     = one(aws_s3_bucket_server_side_encryption_configuration.this["logs"].rule).apply_server_side_encryption_by_default[0].sse_algorithm == "AES256"
    error_message = "S3 writes access logs under its own key only."
  }
  assert {
    condition = alltrue([
      for kind in keys(aws_s3_bucket.this) : anytrue([
        for statement in jsondecode(aws_s3_bucket_policy.this[kind].policy).Statement :
        statement.Effect == "Deny" && try(statement.Principal.AWS, "") == "*" && statement.Action == "s3:*" && try(statement.Condition.Bool["aws:SecureTransport"], "") == "false" &&
        try(statement.Resource, null) == ["arn:aws:s3:::lakesmith-prod-${kind}-123456789012", "arn:aws:s3:::lakesmith-prod-${kind}-123456789012/*"]
      ])
    ])
    error_message = "Every bucket refuses what comes without TLS."
  }
  assert {
    condition = alltrue([
      for kind in ["landing", "lake", "artifacts", "dags"] : anytrue([
        for statement in jsondecode(aws_s3_bucket_policy.this[kind].policy).Statement :
        statement.Sid == "ThisKeyOnly" && statement.Effect == "Deny" && try(statement.Condition.StringNotEqualsIfExists["s3:x-amz-server-side-encryption-aws-kms-key-id"], "") == var.data_key_arn
      ])
    ])
    error_message = "Another key is refused."
  }
  assert {
    condition     = alltrue([for kind in ["landing", "lake", "artifacts", "dags"] : aws_s3_bucket_logging.this[kind].target_prefix == "access/${kind}/"])
    error_message = "Access to every bucket is logged."
  }
  assert {
    condition     = alltrue([for bucket in aws_s3_bucket.this : bucket.force_destroy == false])
    error_message = "Destroying the stack does not empty a bucket."
  }
}

run "only_the_pipeline_writes_tables" {
  module {
    source = "../modules/buckets"
  }

  assert {
    condition = one([
      for statement in jsondecode(aws_s3_bucket_policy.this["lake"].policy).Statement : statement if statement.Sid == "OnlyThePipelineWrites"
      ]) == {
      Sid         = "OnlyThePipelineWrites"
      Effect      = "Deny"
      Principal   = { AWS = "*" }
      Action      = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:PutObjectAcl", "s3:PutObjectTagging", "s3:RestoreObject"]
      NotResource = "arn:aws:s3:::lakesmith-prod-lake-123456789012/lake/ops/model_events/*"
      Condition   = { ArnNotEquals = { "aws:PrincipalArn" = ["arn:aws:iam::123456789012:role/lakesmith-prod-pipeline", "arn:aws:iam::123456789012:role/recovery"] } }
    }
    error_message = "Whoever is not the pipeline is refused by the lake's bucket, whatever its own policy says: tables and their _delta_log."
  }
  assert {
    condition = one([
      for statement in jsondecode(aws_s3_bucket_policy.this["lake"].policy).Statement : statement.Condition.ArnNotEquals["aws:PrincipalArn"] if statement.Sid == "ModelEvents"
    ]) == ["arn:aws:iam::123456789012:role/lakesmith-prod-pipeline", "arn:aws:iam::123456789012:role/recovery", "arn:aws:iam::123456789012:role/lakesmith-prod-promoter"]
    error_message = "Beside the pipeline only the promoter appends to the events of models."
  }
  assert {
    condition = one([
      for statement in jsondecode(aws_s3_bucket_policy.this["landing"].policy).Statement : statement.Condition.ArnNotEquals["aws:PrincipalArn"] if statement.Sid == "OnlyThoseWhoDeliverWrite"
    ]) == ["arn:aws:iam::123456789012:role/lakesmith-prod-pipeline", "arn:aws:iam::123456789012:role/recovery", "arn:aws:iam::123456789012:role/shop-exports"]
    error_message = "Landing files come from those who deliver."
  }
  assert {
    condition = alltrue([
      for kind in ["landing", "lake", "artifacts"] : anytrue([
        for statement in jsondecode(aws_s3_bucket_policy.this[kind].policy).Statement :
        statement.Effect == "Deny" && contains(flatten([statement.Action]), "s3:DeleteObjectVersion") &&
        try(statement.Condition.ArnNotLike["aws:PrincipalArn"], []) == ["arn:aws:iam::123456789012:role/recovery", "arn:aws:iam::123456789012:role/lakesmith-prod-terraform"]
      ])
    ])
    error_message = "Versions are removed by nobody but a recovery and who applies this."
  }
}

run "lifecycles_never_break_delta" {
  module {
    source = "../modules/buckets"
  }

  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_lifecycle_configuration.lake.rule :
      length(rule.transition) == 0 && alltrue([for expiration in rule.expiration : expiration.days == null || expiration.days == 0])
    ])
    error_message = "No current object of the lake is moved or removed by S3."
  }
  assert {
    condition = alltrue([
      for rule in aws_s3_bucket_lifecycle_configuration.lake.rule :
      alltrue([for versions in rule.noncurrent_version_expiration : versions.noncurrent_days > 97]) || rule.filter[0].prefix == "lake/.leases/"
    ])
    error_message = "What a table gave up outlives the time for which the table can be read back; only leases don't."
  }
  assert {
    condition     = alltrue([for rule in aws_s3_bucket_lifecycle_configuration.landing.rule : length(rule.expiration) == 0])
    error_message = "Landing files are never removed: repairs and erasures read them."
  }
  assert {
    condition     = alltrue(flatten([for rule in aws_s3_bucket_lifecycle_configuration.landing.rule : [for transition in rule.transition : transition.storage_class == "GLACIER_IR" && transition.days >= 30]]))
    error_message = "Cold landing files still answer at once."
  }
  assert {
    condition = alltrue([
      for configuration in [
        aws_s3_bucket_lifecycle_configuration.landing, aws_s3_bucket_lifecycle_configuration.lake, aws_s3_bucket_lifecycle_configuration.artifacts,
        aws_s3_bucket_lifecycle_configuration.dags, aws_s3_bucket_lifecycle_configuration.logs,
      ] : anytrue(flatten([for rule in configuration.rule : [for aborted in rule.abort_incomplete_multipart_upload : aborted.days_after_initiation == 7]]))
    ])
    error_message = "Uploads that broke off are removed after a week, in every bucket."
  }
}

run "versions_that_go_too_early" {
  command = plan
  module {
    source = "../modules/buckets"
  }
  variables {
    table_history_days = 90
    lake_versions_days = 97
  }
  expect_failures = [var.lake_versions_days]
}

run "landing_files_that_cool_too_early" {
  command = plan
  module {
    source = "../modules/buckets"
  }
  variables {
    landing_cold_days = 7
  }
  expect_failures = [var.landing_cold_days]
}
