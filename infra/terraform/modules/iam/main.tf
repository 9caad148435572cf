# Who may do what. Four roles: the pipeline computes and writes, an engineer reads everything and starts jobs, a promoter moves models'
# aliases, an analyst asks questions of gold. What the lake's bucket refuses (module buckets) no policy here could give.

locals {
  lake      = "${var.bucket_arns["lake"]}/${var.lake_prefix}"
  landing   = "${var.bucket_arns["landing"]}/${var.landing_prefix}"
  artifacts = var.bucket_arns["artifacts"]

  applications = "arn:aws:emr-serverless:${var.region}:${var.account_id}:/applications/*"
  glue         = "arn:aws:glue:${var.region}:${var.account_id}"
  workgroups   = "arn:aws:athena:${var.region}:${var.account_id}:workgroup"
  pipeline     = "arn:aws:iam::${var.account_id}:role/${var.name}-pipeline"
  airflow      = "arn:aws:airflow:${var.region}:${var.account_id}:environment/${var.name}"
  job_logs     = "arn:aws:logs:${var.region}:${var.account_id}:log-group:${var.log_group_prefix}*"
  own_tag      = { StringEquals = { "aws:ResourceTag/Platform" = var.name } }

  # What MLflow of SageMaker's is asked for.
  mlflow_reading = [
    "sagemaker-mlflow:GetDownloadURIForModelVersionArtifacts", "sagemaker-mlflow:GetExperiment", "sagemaker-mlflow:GetExperimentByName",
    "sagemaker-mlflow:GetLatestModelVersions", "sagemaker-mlflow:GetMetricHistory", "sagemaker-mlflow:GetModelVersion",
    "sagemaker-mlflow:GetModelVersionByAlias", "sagemaker-mlflow:GetRegisteredModel", "sagemaker-mlflow:GetRun",
    "sagemaker-mlflow:ListArtifacts", "sagemaker-mlflow:SearchExperiments", "sagemaker-mlflow:SearchModelVersions",
    "sagemaker-mlflow:SearchRegisteredModels", "sagemaker-mlflow:SearchRuns",
  ]
  mlflow_training = [
    "sagemaker-mlflow:CreateExperiment", "sagemaker-mlflow:CreateModelVersion", "sagemaker-mlflow:CreateRegisteredModel",
    "sagemaker-mlflow:CreateRun", "sagemaker-mlflow:LogBatch", "sagemaker-mlflow:LogInputs", "sagemaker-mlflow:LogMetric",
    "sagemaker-mlflow:LogModel", "sagemaker-mlflow:LogParam", "sagemaker-mlflow:SetExperimentTag", "sagemaker-mlflow:SetModelVersionTag",
    "sagemaker-mlflow:SetRegisteredModelTag", "sagemaker-mlflow:SetTag", "sagemaker-mlflow:UpdateModelVersion", "sagemaker-mlflow:UpdateRun",
  ]
  mlflow_aliases = [
    "sagemaker-mlflow:DeleteRegisteredModelAlias", "sagemaker-mlflow:SetModelVersionTag", "sagemaker-mlflow:SetRegisteredModelAlias",
  ]
  mlflow = {
    for who, actions in {
      # A night rolls a champion back that cannot serve, and a training names the challenger.
      pipeline = concat(local.mlflow_reading, local.mlflow_training, local.mlflow_aliases)
      engineer = local.mlflow_reading
      promoter = concat(local.mlflow_reading, local.mlflow_aliases)
    } :
    who => [
      for server in compact([var.tracking_server_arn]) :
      { Sid = "Aliases", Effect = "Allow", Action = distinct(actions), Resource = server }
    ]
  }

  reading_bucket = ["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"]

  policies = {
    pipeline = concat([
      { Sid = "Buckets", Effect = "Allow", Action = local.reading_bucket, Resource = [var.bucket_arns["lake"], var.bucket_arns["landing"], local.artifacts] },
      {
        Sid      = "Lake"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
        Resource = "${local.lake}/*"
      },
      { Sid = "Landing", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"], Resource = "${local.landing}/*" },
      {
        Sid      = "Artifacts"
        Effect   = "Allow"
        Action   = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload"]
        Resource = ["${local.artifacts}/mlflow/*", "${local.artifacts}/releases/*", "${local.artifacts}/outcomes/*"]
      },
      { Sid = "Data", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = var.key_arns["data"] },
      { Sid = "Messages", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = var.key_arns["messages"] },
      # EMR Serverless keeps the logs of jobs under this key, as the job's role.
      { Sid = "LogKey", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = var.key_arns["logs"] },
      { Sid = "Alerts", Effect = "Allow", Action = "sns:Publish", Resource = var.topic_arn },
      ],
      [for statement in [{ Sid = "Secrets", Effect = "Allow", Action = "secretsmanager:GetSecretValue", Resource = values(var.secret_arns) }] : statement if length(var.secret_arns) > 0],
    local.mlflow["pipeline"])

    # What the pipeline does beside computing. Two policies, since Amazon takes 6,144 characters in each.
    scheduling = [
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:GetLogEvents", "logs:PutLogEvents"]
        Resource = [local.job_logs, "arn:aws:logs:${var.region}:${var.account_id}:log-group:airflow-${var.name}-*"]
      },
      # EMR Serverless looks for the group that it is told before it writes.
      { Sid = "LogGroups", Effect = "Allow", Action = "logs:DescribeLogGroups", Resource = "arn:aws:logs:${var.region}:${var.account_id}:log-group:*" },
      {
        Sid       = "SubmitJobs"
        Effect    = "Allow"
        Action    = ["emr-serverless:StartJobRun", "emr-serverless:GetApplication", "emr-serverless:StartApplication", "emr-serverless:ListJobRuns", "emr-serverless:TagResource"]
        Resource  = local.applications
        Condition = local.own_tag
      },
      { Sid = "FollowJobs", Effect = "Allow", Action = ["emr-serverless:GetJobRun", "emr-serverless:CancelJobRun", "emr-serverless:GetDashboardForJobRun"], Resource = "${local.applications}/jobruns/*" },
      {
        Sid       = "JobsAreThePipeline"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = local.pipeline
        Condition = { StringEquals = { "iam:PassedToService" = "emr-serverless.amazonaws.com" } }
      },
      # As MWAA's execution role: Amazon's own list of what its workers need.
      { Sid = "Airflow", Effect = "Allow", Action = "airflow:PublishMetrics", Resource = local.airflow },
      { Sid = "AirflowMetrics", Effect = "Allow", Action = "cloudwatch:PutMetricData", Resource = "*", Condition = { StringLike = { "cloudwatch:namespace" = "AmazonMWAA*" } } },
      { Sid = "Dags", Effect = "Allow", Action = ["s3:GetObject", "s3:GetObjectVersion"], Resource = "${var.bucket_arns["dags"]}/*" },
      { Sid = "DagBucket", Effect = "Allow", Action = ["s3:ListBucket", "s3:GetBucketLocation", "s3:GetBucketPublicAccessBlock", "s3:GetEncryptionConfiguration", "s3:GetBucketVersioning"], Resource = var.bucket_arns["dags"] },
      { Sid = "AccountPublicAccess", Effect = "Allow", Action = "s3:GetAccountPublicAccessBlock", Resource = "*" },
      {
        Sid      = "Queue"
        Effect   = "Allow"
        Action   = ["sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl", "sqs:ReceiveMessage", "sqs:SendMessage"]
        Resource = "arn:aws:sqs:${var.region}:*:airflow-celery-*" # the queue is in an account of Amazon's
      },
      {
        Sid       = "QueueKey"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*", "kms:Encrypt", "kms:DescribeKey"]
        Resource  = var.key_arns["data"]
        Condition = { StringLike = { "kms:ViaService" = ["sqs.${var.region}.amazonaws.com", "s3.${var.region}.amazonaws.com"] } }
      },
    ]

    engineer = concat([
      { Sid = "Buckets", Effect = "Allow", Action = local.reading_bucket, Resource = [var.bucket_arns["lake"], var.bucket_arns["landing"], local.artifacts, var.bucket_arns["dags"]] },
      { Sid = "Read", Effect = "Allow", Action = "s3:GetObject", Resource = ["${local.lake}/*", "${local.landing}/*", "${local.artifacts}/*"] },
      # A release of one's own for a try, and answers of queries; never tables.
      { Sid = "Releases", Effect = "Allow", Action = "s3:PutObject", Resource = ["${local.artifacts}/releases/*", "${local.artifacts}/athena/engineers/*"] },
      { Sid = "Data", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = var.key_arns["data"] },
      { Sid = "Log", Effect = "Allow", Action = "kms:Decrypt", Resource = var.key_arns["logs"] },
      {
        Sid       = "SubmitJobs"
        Effect    = "Allow"
        Action    = ["emr-serverless:StartJobRun", "emr-serverless:GetApplication", "emr-serverless:StartApplication", "emr-serverless:ListJobRuns", "emr-serverless:TagResource"]
        Resource  = local.applications
        Condition = local.own_tag
      },
      { Sid = "FollowJobs", Effect = "Allow", Action = ["emr-serverless:GetJobRun", "emr-serverless:CancelJobRun", "emr-serverless:GetDashboardForJobRun"], Resource = "${local.applications}/jobruns/*" },
      {
        Sid       = "JobsAreThePipeline"
        Effect    = "Allow"
        Action    = "iam:PassRole"
        Resource  = local.pipeline
        Condition = { StringEquals = { "iam:PassedToService" = "emr-serverless.amazonaws.com" } }
      },
      {
        Sid      = "Logs"
        Effect   = "Allow"
        Action   = ["logs:DescribeLogStreams", "logs:FilterLogEvents", "logs:GetLogEvents", "logs:StartQuery"]
        Resource = [local.job_logs, "arn:aws:logs:${var.region}:${var.account_id}:log-group:airflow-${var.name}-*"]
      },
      { Sid = "Airflow", Effect = "Allow", Action = "airflow:CreateWebLoginToken", Resource = "arn:aws:airflow:${var.region}:${var.account_id}:role/${var.name}/User" },
      {
        Sid    = "Catalog"
        Effect = "Allow"
        Action = ["glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:GetPartitions"]
        Resource = [
          "${local.glue}:catalog", "${local.glue}:database/${var.catalog.lake_database}", "${local.glue}:table/${var.catalog.lake_database}/*",
        ]
      },
      { Sid = "Queries", Effect = "Allow", Action = local.querying, Resource = "${local.workgroups}/${var.catalog.workgroup}" },
    ], local.mlflow["engineer"])

    promoter = concat([
      # The gates look at the ledger, and a promotion is an event in it.
      { Sid = "LedgerBucket", Effect = "Allow", Action = local.reading_bucket, Resource = var.bucket_arns["lake"], Condition = { StringLike = { "s3:prefix" = ["${var.lake_prefix}/ops/*", "${var.lake_prefix}/ops"] } } },
      { Sid = "Ledger", Effect = "Allow", Action = "s3:GetObject", Resource = "${local.lake}/ops/*" },
      { Sid = "ModelEvents", Effect = "Allow", Action = "s3:PutObject", Resource = "${local.lake}/ops/model_events/*" },
      { Sid = "Models", Effect = "Allow", Action = "s3:GetObject", Resource = "${local.artifacts}/mlflow/*" },
      { Sid = "Data", Effect = "Allow", Action = ["kms:Decrypt", "kms:GenerateDataKey"], Resource = var.key_arns["data"] },
      ],
      [
        for statement in [
          { Sid = "Secrets", Effect = "Allow", Action = ["secretsmanager:GetSecretValue"], Resource = [for name in var.promoter_secrets : var.secret_arns[name]] },
          { Sid = "Messages", Effect = "Allow", Action = ["kms:Decrypt"], Resource = [var.key_arns["messages"]] },
        ] : statement if length(var.promoter_secrets) > 0
      ],
    local.mlflow["promoter"])

    # No object of the lake: Lake Formation hands Athena the columns that were granted (module catalog), and nobody else.
    analyst = [
      { Sid = "GrantedColumns", Effect = "Allow", Action = "lakeformation:GetDataAccess", Resource = "*" },
      {
        Sid    = "Catalog"
        Effect = "Allow"
        Action = ["glue:GetDatabase", "glue:GetTable", "glue:GetTables", "glue:GetPartitions"]
        Resource = [
          "${local.glue}:catalog", "${local.glue}:database/${var.catalog.analysts_database}", "${local.glue}:table/${var.catalog.analysts_database}/*",
        ]
      },
      { Sid = "Queries", Effect = "Allow", Action = local.querying, Resource = "${local.workgroups}/${var.catalog.workgroup}-analysts" },
      { Sid = "AnswersBucket", Effect = "Allow", Action = local.reading_bucket, Resource = local.artifacts, Condition = { StringLike = { "s3:prefix" = ["athena/analysts/*"] } } },
      { Sid = "Answers", Effect = "Allow", Action = ["s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload"], Resource = "${local.artifacts}/athena/analysts/*" },
      {
        Sid       = "AnswersKey"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey"]
        Resource  = var.key_arns["data"]
        Condition = { StringEquals = { "kms:ViaService" = "s3.${var.region}.amazonaws.com" } }
      },
    ]
  }

  querying = [
    "athena:BatchGetQueryExecution", "athena:GetQueryExecution", "athena:GetQueryResults", "athena:GetWorkGroup",
    "athena:ListQueryExecutions", "athena:StartQueryExecution", "athena:StopQueryExecution",
  ]

  # A person's role that nobody was named for is closed, not open to the account.
  people = {
    engineer = { who = var.engineers, what = "Reads the whole lake and starts jobs; writes to no table" }
    promoter = { who = var.promoters, what = "Says which version of a model is in use" }
    analyst  = { who = var.analysts, what = "Asks gold through Athena, without what names a person" }
  }

  services = [
    {
      Sid       = "Jobs"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "emr-serverless.amazonaws.com" }
      Condition = {
        StringEquals = { "aws:SourceAccount" = var.account_id }
        ArnLike      = { "aws:SourceArn" = local.applications }
      }
    },
    {
      Sid       = "Airflow"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = ["airflow.amazonaws.com", "airflow-env.amazonaws.com"] }
      Condition = { StringEquals = { "aws:SourceAccount" = var.account_id } }
    },
  ]
  # A user shows a second factor here; a role has asked for it when it was signed in to, and cannot hand it on.
  operators = {
    users = { who = [for arn in var.operators : arn if strcontains(arn, ":user/")], condition = { Bool = { "aws:MultiFactorAuthPresent" = "true" } } }
    roles = { who = [for arn in var.operators : arn if !strcontains(arn, ":user/")], condition = {} }
  }
  operating = [
    for kind, each in local.operators : {
      Sid       = "Operators${title(kind)}"
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { AWS = each.who }
      Condition = each.condition
    } if length(each.who) > 0
  ]
  nobody = [
    {
      Sid       = "NobodyYet"
      Effect    = "Deny"
      Action    = "sts:AssumeRole"
      Principal = { AWS = "arn:aws:iam::${var.account_id}:root" }
    },
  ]
}

# Jobs on EMR Serverless and Airflow's workers are one role: both run the same commands, and both write the ledger.
resource "aws_iam_role" "pipeline" {
  name               = "${var.name}-pipeline"
  description        = "Computes and publishes tables: jobs on EMR Serverless, and MWAA"
  assume_role_policy = jsonencode({ Version = "2012-10-17", Statement = concat(local.services, local.operating) })
}

resource "aws_iam_role" "people" {
  for_each = local.people

  name                 = "${var.name}-${each.key}"
  description          = each.value.what
  max_session_duration = var.max_session_hours * 3600
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = concat(
      [for nobody in local.nobody : nobody if length(each.value.who) == 0],
      [for who in [each.value.who] : { Sid = "Named", Effect = "Allow", Action = "sts:AssumeRole", Principal = { AWS = who } } if length(who) > 0],
    )
  })
}

locals {
  roles = merge({ pipeline = aws_iam_role.pipeline }, aws_iam_role.people)
}

resource "aws_iam_policy" "this" {
  for_each = local.policies

  name        = "${var.name}-${each.key}"
  description = "What ${each.key} may do in ${var.name}"
  policy      = jsonencode({ Version = "2012-10-17", Statement = each.value })
}

resource "aws_iam_role_policy_attachment" "this" {
  for_each = aws_iam_policy.this

  role       = local.roles[each.key == "scheduling" ? "pipeline" : each.key].name
  policy_arn = each.value.arn
}
