# Once for each account, before any environment: where Terraform keeps what it knows, where images are kept, and who may apply, release and
# promote. Its own state goes into the bucket that it makes, see docs/aws.md.

terraform {
  required_version = ">= 1.10"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.100"
    }
  }
}

provider "aws" {
  region = var.region

  default_tags {
    tags = {
      Platform   = var.project
      ManagedBy  = "terraform"
      Repository = var.project
      Owner      = var.owner
    }
  }
}

data "aws_caller_identity" "this" {}

locals {
  account_id = data.aws_caller_identity.this.account_id
  state      = "${var.project}-state-${local.account_id}"
  root       = "arn:aws:iam::${local.account_id}:root"
}

# --- state -----------------------------------------------------------------------------------------------------------

resource "aws_kms_key" "state" {
  description             = "${var.project}: Terraform's state"
  enable_key_rotation     = true
  deletion_window_in_days = 30
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "AccountDecides", Effect = "Allow", Principal = { AWS = local.root }, Action = "kms:*", Resource = "*" },
    ]
  })
}

resource "aws_s3_bucket" "state" {
  #checkov:skip=CKV_AWS_144: A state is made anew by `terraform import`; versions are what brings back yesterday's.
  #checkov:skip=CKV2_AWS_62: Nothing listens to a state.
  #checkov:skip=CKV_AWS_18: The environments' log buckets come later than this one; the trail of each environment keeps who assumed which role.
  bucket = local.state
}

resource "aws_s3_bucket_public_access_block" "state" {
  bucket                  = aws_s3_bucket.state.id
  block_public_acls       = true
  block_public_policy     = true
  ignore_public_acls      = true
  restrict_public_buckets = true
}

resource "aws_s3_bucket_ownership_controls" "state" {
  bucket = aws_s3_bucket.state.id
  rule {
    object_ownership = "BucketOwnerEnforced"
  }
}

resource "aws_s3_bucket_versioning" "state" {
  bucket = aws_s3_bucket.state.id
  versioning_configuration {
    status = "Enabled"
  }
}

resource "aws_s3_bucket_server_side_encryption_configuration" "state" {
  bucket = aws_s3_bucket.state.id
  rule {
    bucket_key_enabled = true
    apply_server_side_encryption_by_default {
      sse_algorithm     = "aws:kms"
      kms_master_key_id = aws_kms_key.state.arn
    }
  }
}

resource "aws_s3_bucket_lifecycle_configuration" "state" {
  bucket = aws_s3_bucket.state.id
  rule {
    id     = "old-states"
    status = "Enabled"
    filter {}
    noncurrent_version_expiration {
      noncurrent_days = 365
    }
    abort_incomplete_multipart_upload {
      days_after_initiation = 7
    }
  }
  depends_on = [aws_s3_bucket_versioning.state]
}

resource "aws_s3_bucket_policy" "state" {
  bucket = aws_s3_bucket.state.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        Sid       = "TlsOnly"
        Effect    = "Deny"
        Principal = { AWS = "*" }
        Action    = "s3:*"
        Resource  = [aws_s3_bucket.state.arn, "${aws_s3_bucket.state.arn}/*"]
        Condition = { Bool = { "aws:SecureTransport" = "false" } }
      },
    ]
  })
  depends_on = [aws_s3_bucket_public_access_block.state]
}

# --- images ------------------------------------------------------------------------------------------------------------

module "registry" {
  source = "../modules/registry"

  name            = var.project
  account_id      = local.account_id
  reader_accounts = var.reader_accounts
}

# --- who applies ---------------------------------------------------------------------------------------------------------

locals {
  # A user shows a second factor here; a role has asked for it when it was signed in to, and cannot hand it on.
  administrators = {
    users = { who = [for arn in var.administrators : arn if strcontains(arn, ":user/")], condition = { Bool = { "aws:MultiFactorAuthPresent" = "true" } } }
    roles = { who = [for arn in var.administrators : arn if !strcontains(arn, ":user/")], condition = {} }
  }
}

resource "aws_iam_role" "terraform" {
  for_each = var.environments

  name                 = "${var.project}-${each.key}-terraform"
  description          = "Applies infra/terraform/envs/${each.key}"
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      for each in local.administrators : {
        Effect    = "Allow"
        Action    = "sts:AssumeRole"
        Principal = { AWS = each.who }
        Condition = each.condition
      } if length(each.who) > 0
    ]
  })
}

resource "aws_iam_role_policy_attachment" "terraform" {
  #checkov:skip=CKV_AWS_274: Who makes roles and keys can give itself everything anyway; who may become it, a second factor and an hour are what guards it.
  for_each = aws_iam_role.terraform

  role       = each.value.name
  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"
}

# --- GitHub's workflows ----------------------------------------------------------------------------------------------------

locals {
  issuer = "token.actions.githubusercontent.com"

  # release.yml builds from the main branch; promote.yml runs in an environment of GitHub's, which asks for an approval.
  workflows = {
    release = { subjects = ["repo:${var.repository}:ref:refs/heads/main"], what = "Pushes images" }
    promote = { subjects = [for environment in var.environments : "repo:${var.repository}:environment:${environment}"], what = "Becomes the promoter of an environment, and deploys" }
  }

  granted = {
    release = [
      { Sid = "Login", Effect = "Allow", Action = ["ecr:GetAuthorizationToken"], Resource = "*" },
      {
        Sid    = "Push"
        Effect = "Allow"
        Action = [
          "ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:CompleteLayerUpload", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer",
          "ecr:InitiateLayerUpload", "ecr:PutImage", "ecr:UploadLayerPart",
        ]
        Resource = module.registry.repository_arn
      },
      { Sid = "Key", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = module.registry.key_arn },
    ]
    promote = [
      {
        Sid      = "Promoter"
        Effect   = "Allow"
        Action   = ["sts:AssumeRole", "sts:TagSession"]
        Resource = [for environment in var.environments : "arn:aws:iam::${local.account_id}:role/${var.project}-${environment}-promoter"]
      },
      {
        Sid      = "Deploy"
        Effect   = "Allow"
        Action   = ["emr-serverless:GetApplication", "emr-serverless:UpdateApplication", "emr-serverless:StopApplication"]
        Resource = "arn:aws:emr-serverless:${var.region}:${local.account_id}:/applications/*"
      },
      { Sid = "Image", Effect = "Allow", Action = ["ecr:BatchGetImage", "ecr:DescribeImages", "ecr:GetDownloadUrlForLayer"], Resource = module.registry.repository_arn },
      { Sid = "Archives", Effect = "Allow", Action = ["s3:PutObject"], Resource = [for environment in var.environments : "arn:aws:s3:::${var.project}-${environment}-artifacts-${local.account_id}/releases/*"] },
      { Sid = "Dags", Effect = "Allow", Action = ["s3:DeleteObject", "s3:PutObject"], Resource = [for environment in var.environments : "arn:aws:s3:::${var.project}-${environment}-dags-${local.account_id}/*"] },
      { Sid = "DagBuckets", Effect = "Allow", Action = ["s3:ListBucket"], Resource = [for environment in var.environments : "arn:aws:s3:::${var.project}-${environment}-dags-${local.account_id}"] },
      {
        Sid       = "ArchivesKey"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = "arn:aws:kms:${var.region}:${local.account_id}:key/*"
        Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
      },
    ]
  }
}

resource "aws_iam_openid_connect_provider" "github" {
  count = var.repository == "" ? 0 : 1

  url            = "https://${local.issuer}"
  client_id_list = ["sts.amazonaws.com"]
}

resource "aws_iam_role" "github" {
  for_each = { for name, workflow in local.workflows : name => workflow if var.repository != "" }

  name                 = "${var.project}-github-${each.key}"
  description          = each.value.what
  max_session_duration = 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRoleWithWebIdentity"
      Principal = { Federated = aws_iam_openid_connect_provider.github[0].arn }
      Condition = {
        StringEquals = { "${local.issuer}:aud" = "sts.amazonaws.com", "${local.issuer}:sub" = each.value.subjects }
      }
    }]
  })
}

resource "aws_iam_role_policy" "github" {
  for_each = aws_iam_role.github

  name   = each.key
  role   = each.value.id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.granted[each.key] })
}
