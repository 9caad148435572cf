# What is kept, and how long. Delta's rule for all lifecycles: a current object of the lake is never moved nor removed by S3, since only the
# table's log knows whether it is needed. What S3 removes are versions that the lake itself gave up, once no table can be read that far back.

locals {
  kinds = toset(["landing", "lake", "artifacts", "dags", "logs"])
  names = { for kind in local.kinds : kind => "${var.name}-${kind}-${var.account_id}" }
  arns  = { for kind, name in local.names : kind => "arn:aws:s3:::${name}" }

  # S3 writes its own access logs only where the key is its own.
  own_key = setsubtract(local.kinds, ["logs"])

  writers   = concat([var.pipeline_role_arn], var.break_glass_role_arns)
  lake_root = "${local.arns["lake"]}/${var.lake_prefix}"

  writing = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:PutObjectAcl", "s3:PutObjectTagging", "s3:RestoreObject"]

  tls_only = {
    for kind in local.kinds : kind => [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:*"
        Resource  = [local.arns[kind], "${local.arns[kind]}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
      {
        Sid       = "Tls12"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:*"
        Resource  = [local.arns[kind], "${local.arns[kind]}/*"]
        Condition = { NumericLessThan = { "s3:TlsVersion" = "1.2" } }
      },
    ]
  }

  this_key_only = {
    for kind in local.own_key : kind => [
      {
        # Who names another key, or none, in a request is refused; who names nothing gets the bucket's.
        Sid       = "ThisKeyOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:PutObject"
        Resource  = "${local.arns[kind]}/*"
        Condition = { StringNotEqualsIfExists = { "s3:x-amz-server-side-encryption-aws-kms-key-id" = var.data_key_arn }, Null = { "s3:x-amz-server-side-encryption" = "false" } }
      },
    ]
  }

  versions_stay = {
    for kind in ["landing", "lake", "artifacts"] : kind => [
      {
        Sid       = "VersionsStay"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = ["s3:DeleteObjectVersion", "s3:PutLifecycleConfiguration", "s3:PutBucketVersioning"]
        Resource  = [local.arns[kind], "${local.arns[kind]}/*"]
        Condition = { ArnNotLike = { "aws:PrincipalArn" = concat(var.break_glass_role_arns, [local.terraform]) } }
      },
    ]
  }
  # Who applies this configuration; roles of people and jobs are named otherwise.
  terraform = "arn:aws:iam::${var.account_id}:role/${var.name}-terraform"

  own = {
    landing = [
      {
        Sid       = "OnlyThoseWhoDeliverWrite"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = local.writing
        Resource  = "${local.arns["landing"]}/*"
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = concat(local.writers, var.landing_writers) } }
      },
    ]
    lake = [
      {
        # Tables, their logs, their leases: nobody else's policy can give this away.
        Sid         = "OnlyThePipelineWrites"
        Effect      = "Deny"
        Principal   = { AWS = "*" }
        Action      = local.writing
        NotResource = "${local.lake_root}/ops/model_events/*"
        Condition   = { ArnNotEquals = { "aws:PrincipalArn" = local.writers } }
      },
      {
        # A promotion is an event in the ledger first, and an alias in MLflow after it.
        Sid       = "ModelEvents"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = local.writing
        Resource  = "${local.lake_root}/ops/model_events/*"
        Condition = { ArnNotEquals = { "aws:PrincipalArn" = concat(local.writers, [var.promoter_role_arn]) } }
      },
    ]
    artifacts = []
    dags      = []
    logs = concat([
      for kind in local.own_key : {
        Sid       = "AccessLogs${title(kind)}"
        Effect    = "Allow"
        Principal = { Service = "logging.s3.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${local.arns["logs"]}/access/${kind}/*"
        Condition = {
          StringEquals = { "aws:SourceAccount" = var.account_id }
          ArnLike      = { "aws:SourceArn" = local.arns[kind] }
        }
      }
      ], [
      {
        Sid       = "TrailAsks"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:GetBucketAcl"
        Resource  = local.arns["logs"]
        Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
      },
      {
        Sid       = "TrailWrites"
        Effect    = "Allow"
        Principal = { Service = "cloudtrail.amazonaws.com" }
        Action    = "s3:PutObject"
        Resource  = "${local.arns["logs"]}/trail/AWSLogs/${var.account_id}/*"
        Condition = {
          StringEquals = { "aws:SourceAccount" = var.account_id, "s3:x-amz-acl" = "bucket-owner-full-control" }
        }
      },
    ])
  }
}

resource "aws_s3_bucket" "this" {
  #checkov:skip=CKV_AWS_144: One region. A copy elsewhere doubles the cost; docs/aws.md says what the loss of a region costs and how to add one.
  #checkov:skip=CKV2_AWS_62: Nothing listens: a night begins by schedule and lists what landed, so that a lost event loses no file.
  #checkov:skip=CKV_AWS_18: Every bucket but the one that holds the logs has access logging; a log of the log would never end.
  #checkov:skip=CKV2_AWS_6: aws_s3_bucket_public_access_block.this is made for each of them; checkov follows the first of a for_each only. tests/buckets.tftest.hcl asserts it of all.
  #checkov:skip=CKV_AWS_21: aws_s3_bucket_versioning.this is made for each of them; as above.
  #checkov:skip=CKV_AWS_145: aws_s3_bucket_server_side_encryption_configuration.this sets KMS keys; the bucket of access logs must have S3's own key.
  for_each = local.kinds

  bucket        = local.names[each.key]
  force_destroy = var.force_destroy
}

resource "aws_s3_bucket_public_access_block" "this" {
  for_each = aws_s3_bucket.this

  bucket                  = each.value.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  rule {
    # One data key a bucket and hour instead of one a file: a hundredth of the calls to KMS.
    bucket_key_enabled = contains(local.own_key, each.key)
    apply_server_side_encryption_by_default {
      sse_algorithm     = contains(local.own_key, each.key) ? "aws:kms" : "AES256"
      kms_master_key_id = contains(local.own_key, each.key) ? var.data_key_arn : null
    }
  }
}

resource "aws_s3_bucket_policy" "this" {
  for_each = aws_s3_bucket.this

  bucket = each.value.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      local.tls_only[each.key],
      lookup(local.this_key_only, each.key, []),
      lookup(local.versions_stay, each.key, []),
      local.own[each.key],
    )
  })
  depends_on = [aws_s3_bucket_public_access_block.this]
}

resource "aws_s3_bucket_logging" "this" {
  for_each = local.own_key

  bucket        = aws_s3_bucket.this[each.key].id
  target_bucket = aws_s3_bucket.this["logs"].id
  target_prefix = "access/${each.key}/"
  depends_on    = [aws_s3_bucket_policy.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "landing" {
  bucket = aws_s3_bucket.this["landing"].id

  rule {
    id     = "cold-but-at-hand"
    status = "Enabled"
    filter {
      prefix = "${var.landing_prefix}/"
    }
    # Flexible Retrieval and Deep Archive would make a repair wait for hours, and fail.
    transition {
      days          = var.landing_cold_days
      storage_class = "GLACIER_IR"
    }
  }

  rule {
    id     = "replaced-files"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = var.lake_versions_days
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "lake" {
  bucket = aws_s3_bucket.this["lake"].id

  rule {
    id     = "what-the-lake-gave-up"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = var.lake_versions_days
    }
    # The marker of a removed object, once no version is left behind it; never an object.
    expiration {
      expired_object_delete_marker = true
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  rule {
    # A lease is renewed every few seconds, and only its present counts.
    id     = "renewed-leases"
    status = "Enabled"
    filter {
      prefix = "${var.lake_prefix}/.leases/"
    }
    noncurrent_version_expiration {
      noncurrent_days = 1
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "artifacts" {
  bucket = aws_s3_bucket.this["artifacts"].id

  rule {
    id     = "replaced-artifacts"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = var.lake_versions_days
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  rule {
    id     = "answers-of-queries"
    status = "Enabled"
    filter {
      prefix = "athena/"
    }
    expiration {
      days = 30
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "dags" {
  bucket = aws_s3_bucket.this["dags"].id

  rule {
    id     = "replaced-code"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = 365
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}

resource "aws_s3_bucket_lifecycle_configuration" "logs" {
  bucket = aws_s3_bucket.this["logs"].id

  rule {
    id     = "old-logs"
    status = "Enabled"
    filter {}
    transition {
      days          = 90
      storage_class = "GLACIER_IR"
    }
    expiration {
      days = var.log_days
    }
    noncurrent_version_expiration {
      noncurrent_days = 30
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }

  depends_on = [aws_s3_bucket_versioning.this]
}
