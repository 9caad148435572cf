# Where models are registered: SageMaker's managed MLflow, or a server that is named.

locals {
  managed = var.url == "" ? 1 : 0
}

resource "aws_iam_role" "server" {
  count = local.managed

  name        = "${var.name}-mlflow"
  description = "SageMaker's MLflow: keeps models in the bucket of artifacts"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "sagemaker.amazonaws.com" }
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    }]
  })
}

resource "aws_iam_role_policy" "server" {
  count = local.managed

  name = "artifacts"
  role = aws_iam_role.server[0].id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      { Sid = "Bucket", Effect = "Allow", Action = "s3:ListBucket", Resource = "arn:aws:s3:::${var.artifacts_bucket}", Condition = { StringLike = { "s3:prefix" = "mlflow/*" } } },
      { Sid = "Artifacts", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject"], Resource = "arn:aws:s3:::${var.artifacts_bucket}/mlflow/*" },
      { Sid = "Key", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = var.key_arn },
    ]
  })
}

resource "aws_sagemaker_mlflow_tracking_server" "this" {
  count = local.managed

  tracking_server_name = var.name
  tracking_server_size = var.size
  mlflow_version       = var.mlflow_version
  artifact_store_uri   = "s3://${var.artifacts_bucket}/mlflow"
  role_arn             = aws_iam_role.server[0].arn
  # The registry is Lakesmith's to fill, with its gates; not whatever is logged.
  automatic_model_registration    = false
  weekly_maintenance_window_start = "Sun:12:00"
}
